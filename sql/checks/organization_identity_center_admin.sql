-- id: organization_identity_center_admin
-- title: IAM Identity Center gave out the rights of administrators
-- severity: high
-- technique: T1098.003, T1484.002
-- do: Look at who has the permission set now, and in which accounts.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'permissionSetArn', c.request ->> 'directoryId', c.request ->> 'userId',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, COALESCE(': ' || (c.request ->> 'managedPolicyArn'), '')) AS reason,
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
    AND e.event_source IN (
        'sso.amazonaws.com', 'sso-directory.amazonaws.com', 'identitystore.amazonaws.com'
    )
    AND e.event_name IN (
        'AttachManagedPolicyToPermissionSet', 'EnableExternalIdPConfigurationForDirectory',
        'CreateExternalIdPConfigurationForDirectory', 'DisableMfaDeviceManagementForDirectory',
        'DeleteMfaDeviceForUser'
    )
    AND (e.event_name <> 'AttachManagedPolicyToPermissionSet'
        OR c.request ->> 'managedPolicyArn' ~ ':policy/(AdministratorAccess|IAMFullAccess)$');
