-- id: network_subnet_gives_public_addresses
-- title: A subnet gives public addresses to new instances
-- severity: medium
-- technique: T1562.007
-- do: Check that the subnet is a public one; otherwise set MapPublicIpOnLaunch back to false.
SELECT DISTINCT
    coalesce(subnet_id, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' lets '
        || coalesce(subnet_id, 'a subnet') || ' give public addresses to what starts in it' AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'ModifySubnetAttribute'
    AND success
    AND jsonb_path_exists(
        cloudtrail_ec2_parameters(request_parameters),
        'lax $.mapPublicIpOnLaunch ? (@ == true || @ == "true" || @.value == true || @.value == "true")',
        '{}', true
    );
