-- id: network_endpoint_policy_opened
-- title: The policy of a VPC endpoint was opened
-- severity: medium
-- technique: T1562.007, T1537
-- do: Put the policy back that names your accounts and resources: with an open one, any account's
--   data can leave through the endpoint. New endpoints, and policies that cannot be read, are info.
SELECT DISTINCT
    coalesce(i.vpc_endpoint_id, c.recipient_account_id, 'unknown') AS resource,
    CASE WHEN c.event_name = 'ModifyVpcEndpoint' AND i.is_open THEN 'alarm' ELSE 'info' END AS status,
    coalesce(c.user_arn, c.source_ip_address, 'somebody')
        || CASE
            WHEN i.is_open THEN ' lets everybody do everything through '
            ELSE ' set a policy that cannot be read on '
        END
        || coalesce(i.vpc_endpoint_id, 'an endpoint') AS reason,
    c.event_time, c.event_id, c.event_name, c.user_arn, c.source_ip_address, c.aws_region,
    c.recipient_account_id
FROM cloudtrail_vpc_change c
CROSS JOIN LATERAL (
    SELECT
        cloudtrail_ec2_parameters(c.request_parameters) AS request,
        cloudtrail_ec2_parameters(c.response_elements) AS response
    OFFSET 0
) AS p
CROSS JOIN LATERAL (
    SELECT
        coalesce(p.request ->> 'vpcEndpointId', p.response #>> '{vpcEndpoint,vpcEndpointId}'),
        CASE
            -- the default policy allows everything
            WHEN p.request ->> 'resetPolicy' = 'true' THEN true
            ELSE jsonb_path_exists(
                try_jsonb(p.request ->> 'policyDocument'),
                'lax $.Statement[*] ? (
                    @.Effect == "Allow"
                    && (@.Principal == "*" || @.Principal.AWS == "*")
                    && @.Action like_regex "^([*]|[a-z0-9-]+:[*])$"
                    && @.Resource == "*"
                    && !exists(@.Condition)
                )',
                '{}', true
            )
        END
) AS i (vpc_endpoint_id, is_open)
WHERE c.timestamp >= check_since()
    AND c.timestamp < check_until()
    AND c.event_name IN ('CreateVpcEndpoint', 'ModifyVpcEndpoint')
    AND c.success
    AND (p.request ->> 'resetPolicy' = 'true' OR p.request ->> 'policyDocument' <> '')
    AND i.is_open IS NOT FALSE;
