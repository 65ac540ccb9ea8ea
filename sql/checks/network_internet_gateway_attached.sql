-- id: network_internet_gateway_attached
-- title: An internet gateway was attached to a VPC
-- severity: medium
-- technique: T1562.007
-- do: Ask who wanted it. A VPC without an internet gateway cannot be reached: detach it if it was to
--   stay so. CreateDefaultVpc attaches one too.
SELECT DISTINCT
    coalesce(vpc_id, gateway_id, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' attached '
        || coalesce(gateway_id, 'an internet gateway') || ' to ' || coalesce(vpc_id, 'a VPC') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN ('AttachInternetGateway', 'CreateDefaultVpc')
    AND success;
