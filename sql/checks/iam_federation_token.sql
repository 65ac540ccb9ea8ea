-- id: iam_federation_token
-- title: A long-term key made itself a federated session
-- severity: medium
-- technique: T1550.001, T1078.004
-- do: Such a session outlives the key that made it, up to 36 hours. Add a deny for sessions
--   issued before now to the user.
SELECT DISTINCT
    COALESCE(
        e.response_elements #>> '{federatedUser,arn}', c.request ->> 'name', '(unknown)'
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
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
    AND e.event_source = 'sts.amazonaws.com'
    AND e.event_name = 'GetFederationToken';
