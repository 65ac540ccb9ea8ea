-- id: compute_cluster_admin
-- title: Somebody was made administrator of a cluster
-- severity: high
-- technique: T1098.006
-- do: Look at who it is, and in Kubernetes' own audit logs at what was done.
SELECT DISTINCT
    COALESCE(c.request ->> 'name', c.request ->> 'clusterName', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': ' || COALESCE(c.request ->> 'principalArn', '?')) AS reason,
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
    AND e.event_source = 'eks.amazonaws.com'
    AND e.event_name IN ('AssociateAccessPolicy', 'CreateAccessEntry')
    AND (c.request ->> 'policyArn' ~ 'ClusterAdminPolicy$'
        OR c.request @? 'lax $.kubernetesGroups[*] ? (@ == "system:masters")');
