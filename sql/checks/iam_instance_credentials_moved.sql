-- id: iam_instance_credentials_moved
-- title: An instance's credentials were used from two addresses
-- severity: critical
-- technique: T1552.005, T1078.004, T1550.001
-- do: Find out which address is the instance's. If the other is not a gateway of yours, end the
--   role's sessions and isolate the instance.
SELECT
    i.role_session_name AS resource,
    'alarm' AS status,
    format(
        '%s called from %s', i.user_arn,
        string_agg(DISTINCT i.source_ip_address, ' and ' ORDER BY i.source_ip_address)
    ) AS reason,
    min(i.event_time) AS event_time,
    (array_agg(i.event_id ORDER BY i.event_time, i.event_id))[1] AS event_id,
    max(i.event_time) AS last_event_time,
    i.user_arn,
    string_agg(DISTINCT i.event_name, ', ') AS event_names,
    i.recipient_account_id
FROM (
    SELECT e.*
    FROM cloudtrail_event e
    WHERE e."timestamp" >= check_since()
        AND e."timestamp" < check_until()
        AND e.user_type = 'AssumedRole'
        AND e.role_session_name ~ '^i-[0-9a-f]{8,17}$'
        AND e.invoked_by IS NULL
        -- through an endpoint the instance has its private address, elsewhere its public one
        AND e.vpc_endpoint_id IS NULL
) AS i
GROUP BY i.recipient_account_id, i.user_arn, i.role_session_name, family(i.source_ip)
HAVING count(DISTINCT i.source_ip) >= 2;
