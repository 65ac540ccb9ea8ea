-- ===================================================================
-- cloudtrail_event: what is pushed down, and what comes back
-- ===================================================================
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET client_min_messages = error;  -- Multicorn warns of clauses that it does not know
\set VERBOSITY terse

-- time bounds widen by clock_skew and delivery_lag
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event
 WHERE event_time BETWEEN '2026-11-20 10:00:00+00' AND '2026-11-20 10:59:59.5+00';
SELECT count(*), min(event_time), max(event_time) FROM cloudtrail_event
 WHERE event_time BETWEEN '2026-11-20 10:00:00+00' AND '2026-11-20 10:59:59.5+00';

-- the margins are settings of the session
SET cloudtrail_fdw.delivery_lag = '20 min';
SET cloudtrail_fdw.clock_skew = 0;
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE event_time <= '2026-11-20 10:59:59+00' AND event_time >= '2026-11-20 10:00:00+00';
RESET cloudtrail_fdw.delivery_lag;
RESET cloudtrail_fdw.clock_skew;

-- delivery times are exact
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE timestamp > '2026-11-20 10:00:00.001999+00';

-- NullTest
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE error_code IS NOT NULL;
SELECT error_code, count(*) FROM cloudtrail_event WHERE error_code IS NOT NULL GROUP BY 1 ORDER BY 1;

-- IS NULL also selects what is not JSON: pushed down only beside another clause
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE error_code IS NULL;
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE error_code IS NULL AND event_source = 's3.amazonaws.com';

-- unsafe characters become wildcards, PostgreSQL re-checks
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE user_arn = 'a"b*c';

-- not pushed down
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE event_name ~ '^Create' OR error_code IS NULL;

-- contradictions make no call
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE event_name = 'A' AND event_name IN ('B', 'C');
SELECT count(*) FROM cloudtrail_event WHERE event_name = 'A' AND event_name IN ('B', 'C');

-- a pattern of one's own
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE filter = '{ $.eventSource = "signin*" }' AND event_name = 'ConsoleLogin';
SELECT count(*) FROM cloudtrail_event WHERE filter = '{ $.eventSource = "signin*" }' AND event_name = 'ConsoleLogin';
SELECT count(*) FROM cloudtrail_event WHERE filter = '"AccessDenied"';

-- should fail
SELECT count(*) FROM cloudtrail_event WHERE filter = '{ $.eventName = "A"';
SELECT count(*) FROM cloudtrail_event WHERE filter = '{ $.eventName == "A" }';

-- the log group by name or ARN
EXPLAIN (COSTS OFF)
SELECT count(*) FROM cloudtrail_event WHERE log_group_name = 'cloudtrail-cwg-devto';
SELECT DISTINCT log_group_name, log_group_region, log_group_account_id FROM cloudtrail_event
 WHERE log_group_name = (SELECT log_group_name FROM cloudtrail_trail);
SELECT DISTINCT log_group_region, log_group_account_id FROM cloudtrail_event
 WHERE log_group_name = (SELECT log_group_arn FROM cloudtrail_trail);

-- should fail
SELECT count(*) FROM cloudtrail_event WHERE log_group_name = 'misspelt';
SELECT count(*) FROM cloudtrail_event WHERE log_group_name = 'no group at all!';

-- a filter that matches nothing
SELECT count(*) FROM cloudtrail_event WHERE event_name = 'NoSuchAction';

-- should work again
SELECT count(*) > 0 FROM cloudtrail_event;
