-- id: network_flow_logs_deleted
-- title: VPC flow logs were deleted
-- severity: high
-- technique: T1562.008
-- do: Ask who wanted it, and create them again: nobody sees the network's traffic until then.
--   Attempts that failed are info.
SELECT DISTINCT
    coalesce(array_to_string(resource_ids, ', '), recipient_account_id, 'unknown') AS resource,
    CASE WHEN success THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_arn, source_ip_address, 'somebody')
        || CASE WHEN success THEN ' deleted ' ELSE ' failed (' || error_code || ') to delete ' END
        || coalesce(array_to_string(resource_ids, ', '), 'flow logs') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'DeleteFlowLogs';
