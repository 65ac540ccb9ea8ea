-- ===================================================================
-- answers do not depend on the session's settings
-- ===================================================================
SET TimeZone = 'America/St_Johns';
SET DateStyle = 'Postgres, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -15;
SET standard_conforming_strings = off;
SET search_path = pg_catalog;
SET escape_string_warning = off;

SELECT count(*) FROM cloudtrail.cloudtrail_event
 WHERE event_time BETWEEN '2026-11-20 10:00:00+00' AND '2026-11-20 10:59:59+00';
SELECT event_time, timestamp > event_time AS delivered_later FROM cloudtrail.cloudtrail_event
 WHERE event_time < '2026-11-20 01:13:00+00' AND event_time > '2026-11-20 01:00:00+00';

-- a day of another zone is not UTC's
SELECT count(*) FROM cloudtrail.cloudtrail_event WHERE event_time >= '2026-11-20'::date;
SELECT count(*) FROM cloudtrail.cloudtrail_event WHERE event_time < '2026-11-20'::date;
SELECT count(*) FROM cloudtrail.cloudtrail_event WHERE event_time > '2026-11-20 10:00:00'::timestamp;
SELECT city FROM cloudtrail.ip_enrichment WHERE ip = '54.240.200.68';
