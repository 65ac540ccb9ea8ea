-- id: iam_role_trusts_any_workflow
-- title: A role can be assumed by any repository of a public build service
-- severity: high
-- technique: T1199, T1078.004
-- do: Add a condition on the token's subject (…:sub) to the trust policy: the provider signs
--   tokens for everybody's builds.
SELECT DISTINCT
    COALESCE(c.request ->> 'roleName', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': ', f.provider, ' without a condition on its subject') AS reason,
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
    SELECT q.principal #>> '{}'
    FROM jsonb_path_query(d.policy, 'lax $.Statement[*] ? (@.Effect == "Allow")') AS s (statement)
    CROSS JOIN LATERAL jsonb_path_query(
        s.statement, 'lax $.Principal.Federated[*] ? (@.type() == "string")'
    ) AS q (principal)
    WHERE q.principal #>> '{}'
            ~ 'token\.actions\.githubusercontent\.com|gitlab\.com|app\.terraform\.io'
        AND COALESCE(s.statement ->> 'Condition', '') !~ ':sub"'
) AS f (provider)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN ('UpdateAssumeRolePolicy', 'CreateRole');
