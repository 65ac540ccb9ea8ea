-- id: discovery_account_dumped
-- title: All users, roles and policies were read at once
-- severity: medium
-- technique: T1087.004, T1069.003
-- do: Auditors do it. So does who looks for a way to more rights: look at what the identity did
--   next.
SELECT DISTINCT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    concat(c.said, ' from ', e.source_ip_address) AS reason,
    e.event_time, e.event_id, e.event_name, e.user_arn, e.source_ip_address, e.aws_region,
    e.recipient_account_id, e.error_code, e.user_agent
FROM cloudtrail_event e
CROSS JOIN LATERAL (
    SELECT
        COALESCE(e.error_code, '200') = '200' AS ok,
        concat(
            COALESCE(e.user_identifier, e.invoked_by, 'somebody'), ' called ', e.event_name,
            ' (failed: ' || NULLIF(e.error_code, '200') || ')'
        ) AS said
) AS c
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name = 'GetAccountAuthorizationDetails'
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
    AND c.ok;
