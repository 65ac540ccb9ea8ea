-- id: secrets_instance_passwords
-- title: One identity asked for the passwords of several Windows instances
-- severity: high
-- technique: T1555, T1552
-- do: Administrators ask for one at a time. Stop the identity, and replace the passwords that it
--   was given.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s asked for the passwords of %s instances; %s of %s calls failed',
        COALESCE(e.user_identifier, 'somebody'), count(DISTINCT r.request ->> 'instanceId'),
        count(DISTINCT e.event_id) FILTER (WHERE e.error_code <> '200'), count(DISTINCT e.event_id)
    ) AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_identifier AS user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id
FROM cloudtrail_event e
CROSS JOIN LATERAL (SELECT try_jsonb(e.request_parameters #>> '{}')) AS r (request)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'ec2.amazonaws.com'
    AND e.event_name = 'GetPasswordData'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT r.request ->> 'instanceId') >= 3;
