-- id: iam_role_trust_outside
-- title: A role can be assumed from another account or by anybody
-- severity: high
-- technique: T1098.003, T1199
-- do: Take the principal out of the trust policy unless you know the account; end the role's
--   sessions.
SELECT DISTINCT
    COALESCE(c.request ->> 'roleName', '(unknown)') AS resource,
    CASE WHEN c.ok AND o.without_condition THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said, ': its trust policy ',
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
    -- IAM writes some documents URL-encoded; a policy that cannot be read is a finding too
    SELECT COALESCE(try_jsonb(x.text), try_jsonb((
        SELECT string_agg(
            CASE
                WHEN m.part[1] ~ '^%(0[9AD]|[2-7][0-9A-Fa-f])'
                    THEN chr(('x' || substr(m.part[1], 2))::bit(8)::int4)
                ELSE m.part[1]
            END,
            '' ORDER BY m.place
        )
        FROM regexp_matches(x.text, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g')
            WITH ORDINALITY AS m (part, place)
    )))
    FROM (SELECT 
        COALESCE(c.request ->> 'policyDocument', c.request ->> 'assumeRolePolicyDocument')
    ) AS x (text)
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
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN ('UpdateAssumeRolePolicy', 'CreateRole')
    AND (o.others IS NOT NULL OR d.policy IS NULL AND c.ok);
