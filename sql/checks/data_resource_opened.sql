-- id: data_resource_opened
-- title: A key, secret, queue, topic or repository was opened to another account
-- severity: high
-- technique: T1537, T1098
-- do: Take the principal out of the policy unless you know the account.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'keyId', c.request ->> 'secretId', c.request ->> 'queueUrl',
        c.request ->> 'topicArn', c.request ->> 'repositoryName', c.request ->> 'layerName',
        c.request ->> 'backupVaultName', concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok AND o.without_condition THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said, ': its policy ',
        COALESCE('lets in ' || o.others, 'cannot be read'),
        CASE WHEN NOT o.without_condition THEN ' under a condition' END
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
CROSS JOIN LATERAL (
    SELECT try_jsonb(COALESCE(
        c.request ->> 'policy', c.request ->> 'resourcePolicy', c.request ->> 'policyText',
        c.request #>> '{attributes,Policy}', c.request ->> 'attributeValue'
    ))
) AS d (policy)
CROSS JOIN LATERAL (
    SELECT
        string_agg(DISTINCT p.name, ', ') AS others,
        bool_or(COALESCE(s.statement -> 'Condition', '{}') = '{}') AS without_condition
    FROM jsonb_path_query(d.policy, 'lax $.Statement[*] ? (@.Effect == "Allow")') AS s (statement)
    CROSS JOIN LATERAL jsonb_path_query(
        COALESCE(s.statement #> '{Principal,AWS}', s.statement -> 'Principal', '"*"'),
        'lax $[*] ? (@.type() == "string")'
    ) AS q (principal)
    CROSS JOIN LATERAL (SELECT q.principal #>> '{}') AS p (name)
    WHERE p.name = '*'
        OR substring(p.name FROM '^(?:arn:aws[^:]*:[a-z]+::)?(\d{12})(?::|$)')
            <> e.recipient_account_id
) AS o
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_name IN (
        'PutKeyPolicy', 'PutResourcePolicy', 'SetQueueAttributes', 'SetTopicAttributes',
        'SetRepositoryPolicy', 'PutRegistryPolicy', 'PutBackupVaultAccessPolicy'
    )
    AND e.event_source <> 'organizations.amazonaws.com'
    AND o.others IS NOT NULL;
