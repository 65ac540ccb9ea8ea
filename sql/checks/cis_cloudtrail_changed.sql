-- id: cis_cloudtrail_changed
-- title: A trail was changed
-- severity: medium
-- technique: T1562.008
-- do: Check that all Regions and events are still recorded: aws cloudtrail get-trail-status and
--   get-event-selectors. CIS 4.5. Attempts that failed are info.
SELECT DISTINCT
    coalesce(named.thing, recipient_account_id, 'unknown') AS resource,
    CASE WHEN error_code IS NULL OR error_code = '200' THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_identifier, source_ip_address, 'somebody')
        || CASE
            WHEN error_code IS NULL OR error_code = '200' THEN ' called '
            ELSE ' failed (' || error_code || ') to call '
        END
        || event_name || coalesce(' on ' || named.thing, '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_event
CROSS JOIN LATERAL (
    SELECT coalesce(
        request_parameters ->> 'name', request_parameters ->> 'trailName'
    )
) AS named (thing)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_source = 'cloudtrail.amazonaws.com'
    AND event_name IN (
        'CreateTrail', 'DeleteTrail', 'PutEventSelectors', 'PutInsightSelectors', 'StartLogging',
        'StopLogging', 'UpdateTrail'
    );
