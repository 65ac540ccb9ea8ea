-- id: cis_network_gateway_changed
-- title: A gateway of the network was changed
-- severity: low
-- technique: T1562.007
-- do: Check that the network's ways out are those you know. CIS 4.12. Attempts that failed are info.
SELECT DISTINCT
    coalesce(gateway_id, recipient_account_id, 'unknown') AS resource,
    CASE WHEN success THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_arn, source_ip_address, 'somebody')
        || CASE WHEN success THEN ' called ' ELSE ' failed (' || error_code || ') to call ' END
        || event_name || coalesce(' on ' || array_to_string(resource_ids, ', '), '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN (
        'AttachInternetGateway', 'CreateCustomerGateway', 'CreateEgressOnlyInternetGateway',
        'CreateInternetGateway', 'DeleteCustomerGateway', 'DeleteEgressOnlyInternetGateway',
        'DeleteInternetGateway', 'DetachInternetGateway'
    );
