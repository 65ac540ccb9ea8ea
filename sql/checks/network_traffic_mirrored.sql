-- id: network_traffic_mirrored
-- title: Traffic of a network interface is mirrored
-- severity: high
-- technique: T1040
-- do: Ask who wanted to read the traffic, and where the mirror's target is. Delete the session.
SELECT DISTINCT
    coalesce(network_interface_id, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' copies the traffic of '
        || coalesce(network_interface_id, 'an interface') || ' elsewhere: '
        || coalesce(array_to_string(resource_ids, ', '), 'unknown target') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'CreateTrafficMirrorSession'
    AND success;
