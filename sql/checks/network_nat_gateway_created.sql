-- id: network_nat_gateway_created
-- title: A NAT gateway to the internet was created
-- severity: low
-- technique: T1562.007
-- do: Check that the private subnets of the VPC are meant to reach the internet.
SELECT DISTINCT
    coalesce(gateway_id, vpc_id, subnet_id, recipient_account_id, 'unknown') AS resource,
    'info' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' created '
        || coalesce(gateway_id, 'a NAT gateway') || ' in '
        || coalesce(vpc_id, subnet_id, 'a VPC') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'CreateNatGateway'
    AND success
    AND cloudtrail_ec2_parameters(request_parameters) ->> 'connectivityType' IS DISTINCT FROM 'private';
