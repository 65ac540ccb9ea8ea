-- id: network_route_to_internet
-- title: A route to the internet was added
-- severity: medium
-- technique: T1562.007
-- do: Ask who wanted it. If nobody did, delete the route, and look at what the subnets of the
--   route table have sent since.
SELECT DISTINCT
    coalesce(route_table_id, recipient_account_id, 'unknown') AS resource,
    -- a NAT gateway and its like let nobody in; an instance or a peer may read what passes
    CASE
        WHEN gateway_id LIKE 'igw-%' OR gateway_id IS NULL THEN 'alarm'
        ELSE 'info'
    END AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' routes '
        || coalesce(array_to_string(cidrs, ', '), 'a prefix list') || ' of '
        || coalesce(route_table_id, 'a route table') || ' to '
        || coalesce(
            gateway_id, peering_connection_id, network_interface_id, instance_id, 'another target'
        ) AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN ('CreateRoute', 'ReplaceRoute')
    AND success
    AND (gateway_id LIKE 'igw-%' OR to_world);
