-- id: compute_instance_role_replaced
-- title: An instance was given another role
-- severity: medium
-- technique: T1098.003, T1548
-- do: Ask who did it: whoever is on the instance has the new role's rights.
SELECT DISTINCT
    COALESCE(i.instance[1], concat('account ', e.recipient_account_id)) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, COALESCE(': profile ' || p.name, '')) AS reason,
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
LEFT JOIN LATERAL regexp_matches(c.request::text, '"(i-[0-9a-f]+|iip-assoc-[0-9a-f]+)"')
    AS i (instance) ON true
CROSS JOIN LATERAL (
    SELECT COALESCE(
        jsonb_path_query_first(c.request, 'lax $.**.IamInstanceProfile.*') #>> '{}',
        jsonb_path_query_first(c.request, 'lax $.**.iamInstanceProfile.*') #>> '{}'
    )
) AS p (name)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'ec2.amazonaws.com'
    AND e.event_name IN (
        'AssociateIamInstanceProfile', 'ReplaceIamInstanceProfileAssociation'
    );
