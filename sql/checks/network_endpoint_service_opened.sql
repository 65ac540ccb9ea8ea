-- id: network_endpoint_service_opened
-- title: An endpoint service was opened to another account
-- severity: medium
-- technique: T1048
-- do: Check that the principal is meant to reach what stands behind the service. Everybody (*) is
--   an alarm, a named principal is info.
SELECT DISTINCT
    coalesce(p.request ->> 'serviceId', c.recipient_account_id, 'unknown') AS resource,
    CASE WHEN added.principal = '*' THEN 'alarm' ELSE 'info' END AS status,
    coalesce(c.user_arn, c.source_ip_address, 'somebody') || ' lets '
        || CASE WHEN added.principal = '*' THEN 'everybody' ELSE added.principal END
        || ' connect to ' || coalesce(p.request ->> 'serviceId', 'an endpoint service') AS reason,
    c.event_time, c.event_id, c.event_name, c.user_arn, c.source_ip_address, c.aws_region,
    c.recipient_account_id
FROM cloudtrail_vpc_change c
CROSS JOIN LATERAL (
    SELECT cloudtrail_ec2_parameters(c.request_parameters) AS request OFFSET 0
) AS p
CROSS JOIN LATERAL (
    SELECT item #>> '{}'
    FROM jsonb_path_query(
        jsonb_build_array(p.request -> 'addAllowedPrincipals', p.request -> 'addAllowedPrincipal'),
        'strict $.** ? (@.type() == "string")', '{}', true
    ) AS item
) AS added (principal)
WHERE c.timestamp >= check_since()
    AND c.timestamp < check_until()
    AND c.event_name = 'ModifyVpcEndpointServicePermissions'
    AND c.success;
