-- id: discovery_calls_denied
-- title: One identity was denied many calls within an hour
-- severity: medium
-- technique: T1580, T1087.004
-- do: Somebody may be trying what a stolen key can do. A broken deployment looks the same: look
--   at the names of the calls.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s was denied %s calls: %s',
        COALESCE(e.user_identifier, 'somebody'), count(DISTINCT e.event_id),
        left(string_agg(DISTINCT e.event_name, ', '), 200)
    ) AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_identifier AS user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id
FROM cloudtrail_event e
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.error_code IS NOT NULL
    AND e.error_code ~ 'Denied|Unauthorized|Forbidden|NotAuthorized|OptInRequired'
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT e.event_id) >= 10;
