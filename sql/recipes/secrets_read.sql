-- Which secrets were read, or tried?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    COALESCE(
        e.request_parameters ->> 'secretId', e.request_parameters ->> 'name',
        e.request_parameters ->> 'names', e.request_parameters ->> 'path',
        e.request_parameters ->> 'instanceId', e.request_parameters ->> 'secretIdList',
        e.error_message
    ) AS secret,
    e.event_name, e.user_identifier, e.source_ip_address, count(*) AS events,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    min(e.event_time) AS first_seen, max(e.event_time) AS last_seen
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.event_source IN ('ec2.amazonaws.com', 'secretsmanager.amazonaws.com', 'ssm.amazonaws.com')
    AND e.event_name IN (
        'BatchGetSecretValue', 'GetParameter', 'GetParameterHistory', 'GetParameters',
        'GetParametersByPath', 'GetPasswordData', 'GetSecretValue'
    )
GROUP BY secret, e.event_name, e.user_identifier, e.source_ip_address
ORDER BY first_seen;
