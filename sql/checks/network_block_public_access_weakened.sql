-- id: network_block_public_access_weakened
-- title: VPC Block Public Access was weakened
-- severity: high
-- technique: T1562.007
-- do: Turn it on again, or delete the exclusion, unless the change was announced.
SELECT DISTINCT
    coalesce(subnet_id, vpc_id, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody')
        || CASE
            WHEN event_name LIKE 'Create%'
                THEN ' excluded ' || coalesce(subnet_id, vpc_id, 'a network') || ' from'
            ELSE ' turned off'
        END
        || ' VPC Block Public Access in ' || coalesce(aws_region, 'a Region') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN ('ModifyVpcBlockPublicAccessOptions', 'CreateVpcBlockPublicAccessExclusion')
    AND success
    AND (
        event_name <> 'ModifyVpcBlockPublicAccessOptions'
        OR cloudtrail_ec2_parameters(request_parameters) ->> 'internetGatewayBlockMode' = 'off'
    );
