-- id: network_address_unused
-- title: An Elastic IP was allocated and not used
-- severity: info
-- technique:
-- do: Release it: it costs money, and somebody may be preparing something. What AWS Config's
--   eip-attached finds; asked an hour after the allocation.
WITH allocated AS (
    SELECT DISTINCT
        allocation_id, public_ip, event_time, event_id, event_name, user_arn, source_ip_address,
        aws_region, recipient_account_id
    FROM cloudtrail_vpc_change
    WHERE timestamp >= check_since() - interval '1 hour'
        AND timestamp < CASE WHEN isfinite(check_until()) THEN check_until() ELSE now() END
            - interval '1 hour'
        AND event_name = 'AllocateAddress'
        AND success
),
used AS MATERIALIZED (
    SELECT request_parameters::text AS request
    FROM cloudtrail_event
    WHERE timestamp >= check_since() - interval '1 hour'
        AND timestamp < check_until()
        AND event_name IN (
            'AssociateAddress', 'AssociateNatGatewayAddress', 'CreateLoadBalancer',
            'CreateNatGateway', 'ReleaseAddress', 'SetSubnets'
        )
        AND (error_code IS NULL OR error_code = '200')
)
SELECT
    coalesce(a.public_ip, a.allocation_id, a.recipient_account_id, 'unknown') AS resource,
    'info' AS status,
    coalesce(a.user_arn, a.source_ip_address, 'somebody') || ' allocated '
        || coalesce(a.public_ip, a.allocation_id, 'an address')
        || ', and an hour later nothing has it' AS reason,
    a.event_time, a.event_id, a.event_name, a.user_arn, a.source_ip_address, a.aws_region,
    a.recipient_account_id
FROM allocated a
WHERE NOT EXISTS (
    SELECT FROM used u
    WHERE strpos(u.request, '"' || a.allocation_id || '"') > 0
        OR strpos(u.request, '"' || a.public_ip || '"') > 0
);
