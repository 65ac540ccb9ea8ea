-- id: network_acl_opened
-- title: A network ACL lets the world in
-- severity: medium
-- technique: T1562.007
-- do: Compare with the ACL as it was designed, and delete the entry. Everything allowed to go out
--   is info.
SELECT DISTINCT
    coalesce(c.network_acl_id, c.recipient_account_id, 'unknown') AS resource,
    CASE WHEN p.egress THEN 'info' ELSE 'alarm' END AS status,
    coalesce(c.user_arn, c.source_ip_address, 'somebody') || ' allows '
        || CASE WHEN c.protocol = '-1' THEN 'everything' ELSE
            concat('protocol ', c.protocol, ' ', c.from_port, '-' || nullif(c.to_port, c.from_port)) END
        || CASE WHEN p.egress THEN ' out to ' ELSE ' in from ' END
        || array_to_string(c.cidrs, ', ') || ' in '
        || coalesce(c.network_acl_id, 'a network ACL') AS reason,
    c.event_time, c.event_id, c.event_name, c.user_arn, c.source_ip_address, c.aws_region,
    c.recipient_account_id
FROM cloudtrail_vpc_change c
CROSS JOIN LATERAL (
    SELECT
        entry ->> 'ruleAction' AS action,
        coalesce(entry ->> 'egress' = 'true', false) AS egress
    FROM (SELECT cloudtrail_ec2_parameters(c.request_parameters)) AS e (entry)
) AS p
WHERE c.timestamp >= check_since()
    AND c.timestamp < check_until()
    AND c.event_name IN ('CreateNetworkAclEntry', 'ReplaceNetworkAclEntry')
    AND c.success
    AND c.to_world
    AND p.action = 'allow'
    AND (
        c.protocol = '-1'
        -- answers need the high ports, and the web its own: neither is worth a word
        OR NOT p.egress
        AND c.protocol IN ('6', 'tcp')
        AND (22 BETWEEN c.from_port AND c.to_port OR 3389 = c.from_port AND 3389 = c.to_port)
    );
