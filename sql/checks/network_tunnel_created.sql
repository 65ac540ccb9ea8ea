-- id: network_tunnel_created
-- title: A tunnel into the network was created
-- severity: medium
-- technique: T1133, T1572
-- do: Check who stands at the other end. VPN connections, client VPN endpoints and EC2 Instance
--   Connect endpoints lead past the internet gateway.
SELECT DISTINCT
    coalesce(resource_ids[1], recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' created a tunnel: '
        || event_name || ' ' || coalesce(array_to_string(resource_ids, ', '), '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN (
        'CreateVpnConnection', 'CreateClientVpnEndpoint', 'CreateInstanceConnectEndpoint'
    )
    AND success;
