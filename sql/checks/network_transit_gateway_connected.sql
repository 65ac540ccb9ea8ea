-- id: network_transit_gateway_connected
-- title: A transit gateway was connected to another account's network
-- severity: high
-- technique: T1048, T1199
-- do: Check that the other account is yours. If not, delete the attachment and the routes to it.
SELECT DISTINCT
    coalesce(c.resource_ids[1], c.recipient_account_id, 'unknown') AS resource,
    CASE WHEN p.other = c.recipient_account_id THEN 'info' ELSE 'alarm' END AS status,
    coalesce(c.user_arn, c.source_ip_address, 'somebody')
        || CASE WHEN c.change = 'accept' THEN ' accepted ' ELSE ' requested ' END
        || coalesce(array_to_string(c.resource_ids, ', '), 'an attachment')
        || ' with account ' || coalesce(p.other, 'unknown') AS reason,
    c.event_time, c.event_id, c.event_name, c.user_arn, c.source_ip_address, c.aws_region,
    c.recipient_account_id
FROM cloudtrail_vpc_change c
CROSS JOIN LATERAL (
    SELECT coalesce(
        cloudtrail_ec2_parameters(c.request_parameters) ->> 'peerAccountId',
        r.response #>> '{transitGatewayPeeringAttachment,requesterTgwInfo,ownerId}',
        r.response #>> '{transitGatewayVpcAttachment,vpcOwnerId}'
    )
    FROM (SELECT cloudtrail_ec2_parameters(c.response_elements)) AS r (response)
) AS p (other)
WHERE c.timestamp >= check_since()
    AND c.timestamp < check_until()
    AND c.event_name IN (
        'CreateTransitGatewayPeeringAttachment', 'AcceptTransitGatewayPeeringAttachment',
        'AcceptTransitGatewayVpcAttachment'
    )
    AND c.success;
