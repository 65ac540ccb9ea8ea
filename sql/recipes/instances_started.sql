-- Which instances were started, and by whom?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.aws_region, e.event_name, e.error_code, e.user_identifier,
    e.source_ip_address,
    e.request_parameters ->> 'instanceType' AS instance_type,
    jsonb_path_query_array(e.request_parameters, '$.instancesSet.items[*].imageId') AS images,
    jsonb_path_query_array(e.request_parameters, '$.instancesSet.items[*].maxCount') AS wanted,
    e.request_parameters -> 'iamInstanceProfile' AS instance_profile,
    jsonb_path_query_array(e.response_elements, '$.instancesSet.items[*].instanceId') AS instance_ids
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.event_source = 'ec2.amazonaws.com'
    AND e.event_name IN (
        'CreateFleet', 'RequestSpotFleet', 'RequestSpotInstances', 'RunInstances', 'StartInstances'
    )
ORDER BY e.event_time;
