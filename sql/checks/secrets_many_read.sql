-- id: secrets_many_read
-- title: One identity read many secrets within an hour
-- severity: high
-- technique: T1555.006
-- do: Ask whether the identity needs them all. If not, stop it and replace every secret that it
--   read.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s read %s secrets, and was denied %s calls',
        COALESCE(e.user_identifier, 'somebody'), count(DISTINCT s.name) FILTER (WHERE NOT s.failed),
        count(DISTINCT e.event_id) FILTER (WHERE s.failed)
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
CROSS JOIN LATERAL (
    -- a batch by filter does not say which: each such call counts as one
    SELECT COALESCE(x.name #>> '{}', e.event_id), COALESCE(e.error_code, '200') <> '200'
    FROM (SELECT) AS one
    LEFT JOIN LATERAL jsonb_array_elements(
        CASE
            WHEN jsonb_typeof(r.request -> 'secretIdList') = 'array'
                THEN r.request -> 'secretIdList'
            ELSE jsonb_build_array(r.request -> 'secretId')
        END
    ) AS x (name) ON true
) AS s (name, failed)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'secretsmanager.amazonaws.com'
    AND e.event_name IN ('GetSecretValue', 'BatchGetSecretValue')
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT s.name) >= 10;
