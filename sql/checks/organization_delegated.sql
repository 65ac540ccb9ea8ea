-- id: organization_delegated
-- title: Another account may administer the organization, or a new one joined
-- severity: medium
-- technique: T1098, T1136.003, T1666
-- do: Ask whether it was planned. A delegated administrator reaches into every account.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'accountId',
        c.request #>> '{target,id}',
        c.request ->> 'accountName',
        c.request ->> 'handshakeId',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE
        WHEN c.ok AND e.event_name IN ('RegisterDelegatedAdministrator', 'PutResourcePolicy')
            THEN 'alarm'
        ELSE 'info'
    END AS status,
    concat(c.said, COALESCE(': service ' || (c.request ->> 'servicePrincipal'), '')) AS reason,
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
    AND e.event_source = 'organizations.amazonaws.com'
    AND e.event_name IN (
        'RegisterDelegatedAdministrator', 'PutResourcePolicy', 'InviteAccountToOrganization',
        'CreateAccount', 'AcceptHandshake'
    );
