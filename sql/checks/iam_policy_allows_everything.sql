-- id: iam_policy_allows_everything
-- title: A policy was written that allows everything, or all of IAM
-- severity: high
-- technique: T1098.003, T1548
-- do: Replace it by one that names actions and resources, and look at what was done with it
--   meanwhile.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'userName', c.request ->> 'roleName', c.request ->> 'groupName',
        c.request ->> 'policyArn', c.request ->> 'policyName', '(unknown)'
    ) AS resource,
    CASE WHEN c.ok AND s.actions IS NOT NULL THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': the policy ', COALESCE('allows ' || s.actions, 'cannot be read')) AS reason,
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
    FROM (SELECT c.request ->> 'policyDocument') AS x (text)
) AS d (policy)
CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT a.action #>> '{}', ', ')
    FROM jsonb_path_query(
        d.policy, 'lax $.Statement[*] ? (@.Effect == "Allow" && @.Resource[*] == "*")'
    ) AS x (statement)
    CROSS JOIN LATERAL jsonb_path_query(
        x.statement, 'lax $.Action[*] ? (@ like_regex "^([*]+|iam:[*]+|[*]:[*])$" flag "i")'
    ) AS a (action)
) AS s (actions)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN (
        'PutUserPolicy', 'PutRolePolicy', 'PutGroupPolicy', 'CreatePolicy', 'CreatePolicyVersion'
    )
    AND (s.actions IS NOT NULL OR d.policy IS NULL AND c.ok);
