-- id: network_source_check_disabled
-- title: An instance may forward the traffic of others
-- severity: medium
-- technique: T1557, T1090
-- do: Only NAT instances and appliances need the source/destination check off. Turn it on again.
SELECT DISTINCT
    coalesce(instance_id, network_interface_id, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' turned off the source/destination check of '
        || coalesce(instance_id, network_interface_id, 'an instance') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN ('ModifyInstanceAttribute', 'ModifyNetworkInterfaceAttribute')
    AND success
    AND jsonb_path_exists(
        cloudtrail_ec2_parameters(request_parameters),
        'lax $.sourceDestCheck ? (@ == false || @ == "false" || @.value == false || @.value == "false")',
        '{}', true
    );
