-- id: iam_identity_provider_added
-- title: The account trusts a new or changed identity provider
-- severity: high
-- technique: T1484.002
-- do: Whoever runs the provider can be anybody whom a role lets in through it. Delete it if it
--   is not yours.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'url',
        c.request ->> 'name',
        c.request ->> 'sAMLProviderArn',
        c.request ->> 'openIDConnectProviderArn',
        concat('account ', e.recipient_account_id)
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
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN (
        'CreateSAMLProvider', 'UpdateSAMLProvider', 'CreateOpenIDConnectProvider',
        'UpdateOpenIDConnectProviderThumbprint', 'AddClientIDToOpenIDConnectProvider'
    );
