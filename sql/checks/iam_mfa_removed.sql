-- id: iam_mfa_removed
-- title: A second factor was taken away
-- severity: high
-- technique: T1556.006
-- do: Ask the user. If the device was not lost or replaced, disable password and keys and look
--   at the sign-ins.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'userName', c.request ->> 'serialNumber',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok AND e.event_name = 'DeactivateMFADevice' THEN 'alarm' ELSE 'info' END AS status,
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
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN ('DeactivateMFADevice', 'DeleteVirtualMFADevice');
