-- id: iam_root_credentials_changed
-- title: The root user's keys, password, address or second factor changed
-- severity: critical
-- technique: T1098, T1078.004
-- do: Only you may have done this. If not, start AWS's recovery of the account now.
SELECT DISTINCT
    concat('account ', e.recipient_account_id) AS resource,
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
    AND e.event_name IN (
        'CreateAccessKey', 'UpdateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile',
        'UploadSigningCertificate', 'EnableMFADevice',
        'DeactivateMFADevice', 'PasswordUpdated', 'EmailUpdated', 'PasswordRecoveryRequested',
        'PasswordRecoveryCompleted', 'AccountRecoveryRequested', 'ChangePassword',
        'UpdatePrimaryEmail', 'StartPrimaryEmailUpdate', 'AcceptPrimaryEmailUpdate'
    )
    AND (e.user_type = 'Root' AND c.request ->> 'userName' IS NULL
        OR e.event_name LIKE '%PrimaryEmail%');
