-- id: iam_administrator_attached
-- title: A policy of administrators was attached
-- severity: high
-- technique: T1098.003
-- do: If nobody ordered it, detach the policy, disable the identity and look at what it did.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'userName', c.request ->> 'roleName', c.request ->> 'groupName', '(unknown)'
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': ' || (c.request ->> 'policyArn')) AS reason,
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
        'AttachUserPolicy', 'AttachRolePolicy', 'AttachGroupPolicy'
    )
    AND split_part(c.request ->> 'policyArn', '/', 2) IN (
        'AdministratorAccess', 'IAMFullAccess', 'PowerUserAccess'
    )
    AND c.request ->> 'policyArn' LIKE 'arn:aws%:iam::aws:policy/%';
