-- id: compute_unusual_instances
-- title: Many instances, or ones with graphics processors, were started
-- severity: high
-- technique: T1496.001, T1578.002
-- do: Terminate what nobody ordered. Miners take what the quota gives, in every Region: a
--   refused attempt has companions.
SELECT DISTINCT
    COALESCE(n.kind, 'instances') AS resource,
    CASE
        -- whom only a quota stopped was allowed to start them
        WHEN c.ok OR e.error_code ~ 'LimitExceeded|InsufficientInstanceCapacity|MaxSpot'
            THEN 'alarm'
        ELSE 'info'
    END AS status,
    concat(
        c.said,
        format(': %s of %s', COALESCE(n.number::text, '?'), COALESCE(n.kind, 'unnamed type'))
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
    SELECT
        COALESCE(
            c.request ->> 'instanceType',
            jsonb_path_query_first(c.request, 'lax $.**.instanceType') #>> '{}',
            jsonb_path_query_first(c.request, 'lax $.**.InstanceType') #>> '{}'
        ),
        (substring(COALESCE(
            jsonb_path_query_first(c.request, 'lax $.instancesSet.items[*].maxCount') #>> '{}',
            jsonb_path_query_first(c.request, 'lax $.**.TotalTargetCapacity') #>> '{}',
            c.request #>> '{spotFleetRequestConfig,targetCapacity}', c.request ->> 'instanceCount'
        ) FROM '^\d{1,9}'))::int4
) AS n (kind, number)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'ec2.amazonaws.com'
    AND e.event_name IN (
        'RunInstances', 'RequestSpotInstances', 'RequestSpotFleet', 'CreateFleet'
    )
    AND (n.kind ~ '^(p|g|gr|inf|trn|dl|vt|f|hpc)\d' OR n.number >= 10)
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal';
