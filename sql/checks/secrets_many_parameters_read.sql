-- id: secrets_many_parameters_read
-- title: One identity decrypted many parameters within an hour
-- severity: high
-- technique: T1555.006, T1552
-- do: Ask whether the identity needs them all. If not, stop it and replace what they hold.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s decrypted %s parameters or paths',
        COALESCE(e.user_identifier, 'somebody'), count(DISTINCT p.name #>> '{}')
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
CROSS JOIN LATERAL jsonb_path_query(
    jsonb_build_array(r.request -> 'name', r.request -> 'names', r.request -> 'path'),
    'lax $[*][*] ? (@.type() == "string")'
) AS p (name)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'ssm.amazonaws.com'
    AND e.event_name IN ('GetParameter', 'GetParameters', 'GetParametersByPath')
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
    AND COALESCE(e.error_code, '200') = '200'
    AND r.request ->> 'withDecryption' = 'true'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT p.name #>> '{}') >= 20
    OR bool_or(r.request ->> 'path' = '/' AND r.request ->> 'recursive' = 'true');
