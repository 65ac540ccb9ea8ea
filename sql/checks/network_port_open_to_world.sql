-- id: network_port_open_to_world
-- title: A security group lets the world in on an unusual port
-- severity: low
-- technique: T1562.007
-- do: Check that a public service is meant to listen there. HTTP, HTTPS and ICMP do not count; SSH,
--   remote desktop, databases and all ports have checks of their own.
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
    AND NOT (from_port = to_port AND from_port IN (80, 443))
    AND NOT EXISTS (
        SELECT FROM unnest(ARRAY[
            22, 445, 1433, 1521, 2049, 3306, 3389, 5432, 5439, 5900, 5985, 5986, 6379, 8182, 9042,
            9200, 11211, 27017
        ]) AS other (port)
        WHERE port BETWEEN from_port AND to_port
    );
