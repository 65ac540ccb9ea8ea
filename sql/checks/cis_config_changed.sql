-- id: cis_config_changed
-- title: AWS Config's recording was changed
-- severity: medium
-- technique: T1562.001
-- do: Check that the recorder runs and delivers: aws configservice
--   describe-configuration-recorder-status. CIS 4.9. Attempts that failed are info.
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
        request_parameters ->> 'configurationRecorderName',
        request_parameters ->> 'deliveryChannelName',
        request_parameters #>> '{configurationRecorder,name}',
        request_parameters #>> '{deliveryChannel,name}'
    )
) AS named (thing)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_source = 'config.amazonaws.com'
    AND event_name IN (
        'DeleteConfigurationRecorder', 'DeleteDeliveryChannel', 'PutConfigurationRecorder',
        'PutDeliveryChannel', 'StopConfigurationRecorder'
    );
