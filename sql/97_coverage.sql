-- What of a window arrived, and how late.
--
-- The function has no SET clause, so that PostgreSQL inlines it and its bounds reach AWS;
-- every name is qualified instead, operators and types included.
CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_coverage("from" timestamptz, "to" timestamptz)
RETURNS TABLE (
    log_group_name text, event_category text, event_source text, aws_region text, events bigint,
    first_event_time timestamptz, last_event_time timestamptz, recorded_since timestamptz,
    lag_p50 interval, lag_p95 interval, lag_max interval
)
LANGUAGE sql STABLE
AS $coverage$
WITH arrived AS MATERIALIZED (
    SELECT
        e.log_group_name, e.event_category, e.event_source, e.aws_region,
        pg_catalog.count(*) AS events,
        pg_catalog.min(e.event_time) AS first_event_time,
        pg_catalog.max(e.event_time) AS last_event_time,
        pg_catalog.percentile_cont(0.5) WITHIN GROUP (
            ORDER BY e."timestamp" OPERATOR(pg_catalog.-) e.event_time
        ) AS lag_p50,
        pg_catalog.percentile_cont(0.95) WITHIN GROUP (
            ORDER BY e."timestamp" OPERATOR(pg_catalog.-) e.event_time
        ) AS lag_p95,
        pg_catalog.max(e."timestamp" OPERATOR(pg_catalog.-) e.event_time) AS lag_max
    FROM @extschema@.cloudtrail_event e
    WHERE e.event_time OPERATOR(pg_catalog.>=) $1
        AND e.event_time OPERATOR(pg_catalog.<) $2
    GROUP BY e.log_group_name, e.event_category, e.event_source, e.aws_region
),
trail AS MATERIALIZED (
    SELECT t.log_group_name, t.log_group_arn, t.start_logging_time
    FROM @extschema@.cloudtrail_trail t
),
seen AS (
    SELECT a.* FROM arrived a
    UNION ALL
    -- no sign-in at all is something to see, too
    SELECT g.log_group_name, 'Management', 'signin.amazonaws.com', NULL, 0,
        NULL, NULL, NULL, NULL, NULL
    FROM (VALUES (1)) AS once (one)
    LEFT JOIN (SELECT DISTINCT a.log_group_name FROM arrived a) g ON true
    WHERE NOT EXISTS (
        SELECT
        FROM arrived a
        WHERE a.log_group_name OPERATOR(pg_catalog.=) g.log_group_name
            AND a.event_source OPERATOR(pg_catalog.=) 'signin.amazonaws.com'
    )
)
SELECT
    s.log_group_name, s.event_category, s.event_source, s.aws_region, s.events,
    s.first_event_time, s.last_event_time,
    (
        SELECT pg_catalog.min(t.start_logging_time)
        FROM trail t
        -- a query may have named the group by either form of its ARN
        WHERE s.log_group_name OPERATOR(pg_catalog.=) ANY (ARRAY[
            t.log_group_name, t.log_group_arn, pg_catalog."left"(t.log_group_arn, -2)
        ])
    ),
    s.lag_p50, s.lag_p95, s.lag_max
FROM seen s
ORDER BY s.log_group_name, s.event_category, s.event_source, s.aws_region
$coverage$;

COMMENT ON FUNCTION @extschema@.cloudtrail_coverage(timestamptz, timestamptz)
IS 'What arrived of a window (from, before) by log group, category, service and Region: how much, since when, how late; a row with 0 events where no sign-in arrived.';

GRANT EXECUTE ON FUNCTION @extschema@.cloudtrail_coverage(timestamptz, timestamptz) TO @reader@;
