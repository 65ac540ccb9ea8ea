-- ===================================================================
-- flags: Multicorn 1.4 does not pass NOT, so its output stands in booleans_1.out
-- ===================================================================
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET client_min_messages = error;

-- a list, a flag and a window
EXPLAIN (COSTS OFF)
SELECT event_name FROM cloudtrail_event
 WHERE event_name IN ('CreateAccessKey', 'PutBucketPolicy') AND NOT read_only
   AND event_time BETWEEN '2026-11-20 00:00:00+00' AND '2026-11-21 00:00:00+00';
SELECT event_time, event_name, username, error_code FROM cloudtrail_event
 WHERE event_name IN ('CreateAccessKey', 'PutBucketPolicy') AND NOT read_only
   AND event_time BETWEEN '2026-11-20 00:00:00+00' AND '2026-11-21 00:00:00+00'
 ORDER BY event_time;

-- as a comparison
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE read_only = true AND mfa_authenticated = true;
SELECT count(*) FROM cloudtrail_event WHERE read_only = true AND mfa_authenticated = true;
