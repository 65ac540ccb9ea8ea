-- id: organization_left
-- title: An account left the organization, was removed or closed
-- severity: critical
-- technique: T1666, T1562
-- do: Outside the organization none of its guardrails and central trails hold. Take the account
--   back and look at who did it.
SELECT DISTINCT
    COALESCE(c.request ->> 'accountId', e.recipient_account_id, '(unknown)') AS resource,
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
    AND e.event_source = 'organizations.amazonaws.com'
    AND e.event_name IN (
        'LeaveOrganization', 'RemoveAccountFromOrganization', 'CloseAccount', 'DeleteOrganization'
    );
