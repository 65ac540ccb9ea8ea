-- id: network_ssh_open_to_world
-- title: A security group lets the world in by SSH
-- severity: high
-- technique: T1562.007, T1133
-- do: Revoke the rule, and use Session Manager or an address range. What AWS Config's restricted-ssh
--   finds afterwards; rules for all ports count, as they do there.
SELECT DISTINCT
    coalesce(group_id, group_name, recipient_account_id, 'unknown') AS resource,
    -- ModifySecurityGroupRules does not say which way, and most rules outwards are for everything
    CASE WHEN egress IS NULL AND protocol = '-1' THEN 'info' ELSE 'alarm' END AS status,
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
    AND (
        protocol = '-1'
        OR protocol IN ('tcp', '6') AND 22 BETWEEN from_port AND to_port
    );
