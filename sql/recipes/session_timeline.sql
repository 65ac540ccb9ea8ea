-- What happened in this session, minute by minute?
WITH asked AS (
    SELECT
        'arn:aws:sts::123456789012:assumed-role/admin/alice' AS user_arn,
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.event_time - lag(e.event_time) OVER (ORDER BY e.event_time) AS after,
    e.session_creation_date, e.access_key_id, e.event_source, e.event_name, e.aws_region,
    e.error_code, e.source_ip_address, e.request_parameters
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.user_arn = a.user_arn
ORDER BY e.event_time, e.event_id;
