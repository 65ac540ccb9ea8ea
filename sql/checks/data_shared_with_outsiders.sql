-- id: data_shared_with_outsiders
-- title: A resource share reaches outside the organization
-- severity: medium
-- technique: T1537
-- do: Delete the share unless you know the account.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'name', c.request ->> 'resourceShareArn',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok AND p.others IS NOT NULL THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': with ' || COALESCE(p.others, 'whomever is added later')) AS reason,
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
    SELECT string_agg(x.principal #>> '{}', ', ')
    FROM jsonb_path_query(c.request, 'lax $.principals[*] ? (@.type() == "string")')
        AS x (principal)
    -- an ARN of the organization is not outside; an account may be
    WHERE x.principal #>> '{}' ~ '^(\d{12}|arn:aws[^:]*:iam::.*)$'
        AND strpos(x.principal #>> '{}', e.recipient_account_id) = 0
) AS p (others)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'ram.amazonaws.com'
    AND e.event_name IN (
        'CreateResourceShare', 'AssociateResourceShare', 'UpdateResourceShare'
    )
    AND (p.others IS NOT NULL OR c.request ->> 'allowExternalPrincipals' = 'true');
