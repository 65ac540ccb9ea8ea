-- id: iam_permissions_boundary_removed
-- title: An identity's permissions boundary was removed or replaced
-- severity: high
-- technique: T1098.003, T1548
-- do: Put the boundary back. It is what kept the identity from more rights than its makers have.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'userName', c.request ->> 'roleName',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE
        WHEN c.ok
            AND (
                e.event_name LIKE 'Delete%'
                OR c.request ->> 'permissionsBoundary' LIKE '%:policy/AdministratorAccess'
            )
            THEN 'alarm'
        ELSE 'info'
    END AS status,
    concat(
        c.said,
        COALESCE(': the boundary is now ' || (c.request ->> 'permissionsBoundary'), '')
    ) AS reason,
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
    AND e.event_name IN (
        'DeleteUserPermissionsBoundary', 'DeleteRolePermissionsBoundary',
        'PutUserPermissionsBoundary', 'PutRolePermissionsBoundary'
    );
