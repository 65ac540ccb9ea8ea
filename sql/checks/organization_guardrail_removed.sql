-- id: organization_guardrail_removed
-- title: A policy of the organization was detached, changed or disabled
-- severity: high
-- technique: T1666, T1562
-- do: Compare with the policies as they should be; what the guardrail forbade may be going on.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'targetId', c.request ->> 'policyId', c.request ->> 'rootId',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok AND e.event_name <> 'UpdatePolicy' THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, COALESCE(': policy ' || (c.request ->> 'policyId'), '')) AS reason,
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
        'DetachPolicy', 'DeletePolicy', 'DisablePolicyType', 'UpdatePolicy'
    );
