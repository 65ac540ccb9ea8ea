-- id: network_security_group_unused
-- title: A security group was created and not used
-- severity: info
-- technique:
-- do: Delete it if it is not needed: groups that lie about are attached by mistake. What AWS
--   Config's ec2-security-group-attached-to-eni finds; asked an hour after the creation.
WITH created AS (
    SELECT DISTINCT
        group_id, event_time, event_id, event_name, user_arn, source_ip_address, aws_region,
        recipient_account_id
    FROM cloudtrail_vpc_change
    WHERE timestamp >= check_since() - interval '1 hour'
        AND timestamp < CASE WHEN isfinite(check_until()) THEN check_until() ELSE now() END
            - interval '1 hour'
        AND event_name = 'CreateSecurityGroup'
        AND success
),
used AS MATERIALIZED (
    SELECT request_parameters::text AS request
    FROM cloudtrail_event
    WHERE timestamp >= check_since() - interval '1 hour'
        AND timestamp < check_until()
        -- what can put a group on an interface, and what ends the group
        AND event_name IN (
            'CreateCacheCluster', 'CreateCluster', 'CreateDBCluster', 'CreateDBInstance',
            'CreateFileSystem', 'CreateFunction20150331', 'CreateLaunchTemplate',
            'CreateLaunchTemplateVersion', 'CreateLoadBalancer', 'CreateMountTarget',
            'CreateNetworkInterface', 'CreateReplicationGroup', 'CreateService',
            'CreateVpcEndpoint', 'DeleteSecurityGroup', 'ModifyDBInstance',
            'ModifyInstanceAttribute', 'ModifyNetworkInterfaceAttribute', 'RunInstances',
            'SetSecurityGroups'
        )
        AND (error_code IS NULL OR error_code = '200')
)
SELECT
    coalesce(c.group_id, c.recipient_account_id, 'unknown') AS resource,
    'info' AS status,
    coalesce(c.user_arn, c.source_ip_address, 'somebody') || ' created '
        || coalesce(c.group_id, 'a security group')
        || ', and an hour later no interface has it' AS reason,
    c.event_time, c.event_id, c.event_name, c.user_arn, c.source_ip_address, c.aws_region,
    c.recipient_account_id
FROM created c
WHERE NOT EXISTS (SELECT FROM used u WHERE strpos(u.request, '"' || c.group_id || '"') > 0);
