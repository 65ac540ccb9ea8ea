-- id: network_address_associated
-- title: An instance was given a public address
-- severity: medium
-- technique: T1133
-- do: Check that the instance is meant to be reached from the internet, and what its security
--   groups let in. Calls of AWS services, as for load balancers, are info.
SELECT DISTINCT
    coalesce(instance_id, network_interface_id, recipient_account_id, 'unknown') AS resource,
    CASE
        WHEN (SELECT i.address_class FROM ip_enrichment i WHERE i.ip = source_ip_address) = 'aws_service'
            THEN 'info'
        ELSE 'alarm'
    END AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' put '
        || coalesce(public_ip, allocation_id, 'an Elastic IP') || ' on '
        || coalesce(instance_id, network_interface_id, 'an instance') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'AssociateAddress'
    AND success;
