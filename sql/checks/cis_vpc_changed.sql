-- id: cis_vpc_changed
-- title: A VPC was changed
-- severity: info
-- technique: T1578
-- do: Compare with what was announced. CIS 4.14. Attempts that failed are info.
SELECT DISTINCT
    coalesce(vpc_id, peering_connection_id, recipient_account_id, 'unknown') AS resource,
    CASE WHEN success THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_arn, source_ip_address, 'somebody')
        || CASE WHEN success THEN ' called ' ELSE ' failed (' || error_code || ') to call ' END
        || event_name || coalesce(' on ' || array_to_string(resource_ids, ', '), '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN (
        'AcceptVpcPeeringConnection', 'AttachClassicLinkVpc', 'CreateDefaultVpc', 'CreateVpc',
        'CreateVpcPeeringConnection', 'DeleteVpc', 'DeleteVpcPeeringConnection',
        'DetachClassicLinkVpc', 'DisableVpcClassicLink', 'EnableVpcClassicLink',
        'ModifyVpcAttribute', 'RejectVpcPeeringConnection'
    );
