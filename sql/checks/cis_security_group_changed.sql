-- id: cis_security_group_changed
-- title: A security group was changed
-- severity: info
-- technique: T1562.007
-- do: Compare with what was announced; network_…_open_to_world tell what was opened to whom.
--   CIS 4.10. Attempts that failed are info.
SELECT DISTINCT
    coalesce(group_id, recipient_account_id, 'unknown') AS resource,
    CASE WHEN success THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_arn, source_ip_address, 'somebody')
        || CASE WHEN success THEN ' called ' ELSE ' failed (' || error_code || ') to call ' END
        || event_name || coalesce(' on ' || array_to_string(resource_ids, ', '), '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_vpc_change
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name IN (
        'AuthorizeSecurityGroupEgress', 'AuthorizeSecurityGroupIngress', 'CreateSecurityGroup',
        'DeleteSecurityGroup', 'ModifySecurityGroupRules', 'RevokeSecurityGroupEgress',
        'RevokeSecurityGroupIngress'
    );
