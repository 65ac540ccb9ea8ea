-- id: network_remote_desktop_open_to_world
-- title: A security group lets the world in by remote desktop
-- severity: high
-- technique: T1562.007, T1133
-- do: Revoke the rule, and look for sign-ins on the instances since. Ports of RDP, VNC and WinRM;
--   rules for all ports are network_everything_open_to_world's.
SELECT DISTINCT
    coalesce(group_id, group_name, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(user_arn, source_ip_address, 'somebody') || ' opened '
        || CASE WHEN protocol = '-1' THEN 'everything' ELSE
            concat(protocol, ' ', from_port, '-' || nullif(to_port, from_port)) END
        || ' of ' || coalesce(group_id, group_name, 'a security group') || ' to ' || cidr AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_security_group_rule
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN ('AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules')
    AND success
    -- half of all addresses is the world as well
    AND masklen(network) <= 1
    AND protocol IN ('tcp', '6', 'udp', '17')
    AND to_port - from_port < 65534
    AND EXISTS (
        SELECT FROM unnest(ARRAY[3389, 5900, 5985, 5986]) AS remote (port)
        WHERE port BETWEEN from_port AND to_port
    );
