-- Who touched logging and monitoring?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.event_source, e.event_name, e.aws_region,
    COALESCE(e.error_code, '200') = '200' AS success, e.user_identifier, e.source_ip_address,
    e.request_parameters
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.event_name IN (
    'CreateTrail', 'DeleteAlarms', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel',
    'DeleteDetector', 'DeleteEventDataStore', 'DeleteFlowLogs', 'DeleteLogGroup',
    'DeleteLogStream', 'DeleteSubscriptionFilter', 'DeleteTrail', 'DisableSecurityHub',
    'LeaveOrganization', 'PutEventSelectors', 'PutInsightSelectors', 'PutRetentionPolicy',
    'StartLogging', 'StopConfigurationRecorder', 'StopEventDataStoreIngestion', 'StopLogging',
    'UpdateDetector', 'UpdateTrail'
)
ORDER BY e.event_time;
