-- id: network_peering
-- title: A VPC was peered with another
-- severity: high
-- technique: T1048, T1199
-- do: Check that the other account is yours or a partner's. If not, delete the peering and the
--   routes to it, and look into the flow logs. Peerings inside one account are info.
SELECT DISTINCT
    coalesce(c.peering_connection_id, c.vpc_id, c.recipient_account_id, 'unknown') AS resource,
    CASE
        WHEN p.requester = c.recipient_account_id AND p.accepter = c.recipient_account_id
            THEN 'info'
        ELSE 'alarm'
    END AS status,
    coalesce(c.user_arn, c.source_ip_address, 'somebody')
        || CASE WHEN c.change = 'accept' THEN ' accepted ' ELSE ' requested ' END
        || coalesce(c.peering_connection_id, 'a peering') || ' of '
        || coalesce(c.vpc_id, 'a VPC') || ' (account ' || coalesce(p.requester, 'unknown')
        || ') with ' || coalesce(c.peer_vpc_id, 'a VPC') || ' (account '
        || coalesce(p.accepter, 'unknown') || ')' AS reason,
    c.event_time, c.event_id, c.event_name, c.user_arn, c.source_ip_address, c.aws_region,
    c.recipient_account_id
FROM cloudtrail_vpc_change c
CROSS JOIN LATERAL (
    SELECT
        r.peering #>> '{requesterVpcInfo,ownerId}' AS requester,
        coalesce(
            r.peering #>> '{accepterVpcInfo,ownerId}',
            cloudtrail_ec2_parameters(c.request_parameters) ->> 'peerOwnerId'
        ) AS accepter
    FROM (
        SELECT cloudtrail_ec2_parameters(c.response_elements) -> 'vpcPeeringConnection'
    ) AS r (peering)
) AS p
WHERE c.timestamp >= check_since()
    AND c.timestamp < check_until()
    AND c.event_name IN ('CreateVpcPeeringConnection', 'AcceptVpcPeeringConnection')
    AND c.success;
