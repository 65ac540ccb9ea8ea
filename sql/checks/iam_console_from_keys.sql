-- id: iam_console_from_keys
-- title: Keys of the API were turned into a console session
-- severity: medium
-- technique: T1550.001
-- do: Identity Center's own are left out. Usual for a broker of yours, and a tool of thieves of
--   keys otherwise: look at the session's issuer.
SELECT DISTINCT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    c.said AS reason,
    e.event_time, e.event_id, e.event_name, e.user_arn, e.source_ip_address, e.aws_region,
    e.recipient_account_id, e.error_code, e.user_agent
FROM cloudtrail_event e
CROSS JOIN LATERAL (
    SELECT
        COALESCE(e.error_code, '200') = '200' AS ok,
        concat(
            COALESCE(e.user_identifier, e.invoked_by, 'somebody'), ' called ', e.event_name,
            ' (failed: ' || NULLIF(e.error_code, '200') || ')'
        ) AS said,
        try_jsonb(e.request_parameters #>> '{}') AS request
) AS c
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'signin.amazonaws.com'
    AND e.event_name = 'GetSigninToken'
    AND c.ok
    AND COALESCE(e.session_issuer_name, '') NOT LIKE 'AWSReservedSSO\_%';
