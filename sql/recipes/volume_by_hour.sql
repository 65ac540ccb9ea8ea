-- How much happened in each hour?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    date_trunc('hour', e.event_time, 'UTC') AS hour, count(*) AS events,
    count(*) FILTER (WHERE e.read_only IS FALSE) AS writes,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    count(DISTINCT e.user_identifier) AS people,
    count(DISTINCT e.source_ip) AS addresses
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
GROUP BY hour
ORDER BY hour;
