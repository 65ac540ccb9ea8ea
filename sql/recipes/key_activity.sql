-- What did this access key do?
WITH asked AS (
    SELECT
        'AKIAEXAMPLELEAKED001' AS access_key_id,
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    min(e.event_time) AS first_seen, max(e.event_time) AS last_seen,
    e.event_source, e.event_name, e.aws_region, count(*) AS events,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    array_agg(DISTINCT e.source_ip_address) AS addresses
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.access_key_id = a.access_key_id
GROUP BY e.event_source, e.event_name, e.aws_region
ORDER BY first_seen, e.event_name;
