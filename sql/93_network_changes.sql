-- Changes of EC2's network API, as people ask for them: docs/views/network_changes.md.
CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_ec2_camel_case(node jsonb, depth integer)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $camel$
BEGIN
    -- no parameter of EC2 is nested as deeply; a hostile record must not exhaust the stack
    IF depth <= 0 THEN
        RETURN node;
    END IF;
    CASE jsonb_typeof(node)
    WHEN 'array' THEN
        RETURN (
            SELECT coalesce(jsonb_agg(@extschema@.cloudtrail_ec2_camel_case(e.value, depth - 1)), '[]')
            FROM jsonb_array_elements(node) AS e
        );
    WHEN 'object' THEN
        IF node ? 'content' AND node ? 'tag' THEN
            RETURN @extschema@.cloudtrail_ec2_camel_case(node -> 'content', depth - 1);
        END IF;
        RETURN (
            SELECT coalesce(jsonb_object_agg(
                lower(left(e.key, 1)) || substr(e.key, 2),
                @extschema@.cloudtrail_ec2_camel_case(e.value, depth - 1)
            ), '{}')
            FROM jsonb_each(node) AS e
            WHERE e.key <> 'tag'
        );
    ELSE
        RETURN node;
    END CASE;
END
$camel$;

COMMENT ON FUNCTION @extschema@.cloudtrail_ec2_camel_case(jsonb, integer)
IS 'Parameters whose names begin in lower case, {"tag": 1, "content": x} read as x, to this depth.';

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_ec2_parameters(parameters jsonb)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $parameters$
DECLARE
    node jsonb := parameters;
    wrapped jsonb;
BEGIN
    IF jsonb_typeof(node) = 'string' THEN
        node := @extschema@.try_jsonb(node #>> '{}');
    END IF;
    IF node IS NULL OR jsonb_typeof(node) <> 'object' THEN
        RETURN '{}';
    END IF;
    SELECT e.value INTO wrapped
    FROM jsonb_each(node) AS e
    WHERE e.key ~ '^[A-Z][A-Za-z0-9]+(Request|Response)$' AND jsonb_typeof(e.value) = 'object';
    IF wrapped IS NULL THEN
        RETURN node;
    END IF;
    RETURN @extschema@.cloudtrail_ec2_camel_case(wrapped, 12);
END
$parameters$;

COMMENT ON FUNCTION @extschema@.cloudtrail_ec2_parameters(jsonb)
IS 'request_parameters or response_elements of EC2 without <Op>Request, XML remains or quoting; {} when no object.';

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_ec2_port(port text)
RETURNS integer
LANGUAGE sql IMMUTABLE
AS $port$
    SELECT CASE WHEN port OPERATOR(pg_catalog.~) '^-?[0-9]{1,6}(\.0+)?$' THEN port::pg_catalog.numeric::pg_catalog.int4 END
$port$;

COMMENT ON FUNCTION @extschema@.cloudtrail_ec2_port(text)
IS 'A port or ICMP type written as 22, "22" or 22.0; NULL when it is none.';

CREATE OR REPLACE VIEW @extschema@.cloudtrail_vpc_change AS
SELECT
    e.event_time,
    e.event_id,
    e.event_name,
    CASE
        WHEN e.event_name ~ 'ClientVpn' THEN 'client VPN'
        WHEN e.event_name ~ 'TransitGateway' THEN 'transit gateway'
        WHEN e.event_name ~ 'LocalGateway' THEN 'local gateway'
        WHEN e.event_name ~ 'VpcPeeringConnection' THEN 'peering connection'
        WHEN e.event_name ~ 'VpcEndpoint|InstanceConnectEndpoint' THEN 'endpoint'
        WHEN e.event_name ~ 'EgressOnlyInternetGateway' THEN 'egress-only internet gateway'
        WHEN e.event_name ~ 'InternetGateway' THEN 'internet gateway'
        WHEN e.event_name ~ 'NatGateway' THEN 'NAT gateway'
        WHEN e.event_name ~ 'CarrierGateway' THEN 'carrier gateway'
        WHEN e.event_name ~ 'CustomerGateway' THEN 'customer gateway'
        WHEN e.event_name ~ 'VpnGateway|Vgw' THEN 'virtual private gateway'
        WHEN e.event_name ~ 'Vpn' THEN 'VPN connection'
        WHEN e.event_name ~ 'NetworkAcl' THEN 'network ACL'
        WHEN e.event_name ~ 'SecurityGroup' THEN 'security group'
        WHEN e.event_name ~ 'FlowLogs' THEN 'flow logs'
        WHEN e.event_name ~ 'DhcpOptions' THEN 'DHCP options'
        WHEN e.event_name ~ 'Ipam' THEN 'IPAM'
        WHEN e.event_name ~ 'PrefixList' THEN 'prefix list'
        WHEN e.event_name ~ 'TrafficMirror' THEN 'traffic mirror'
        WHEN e.event_name ~ 'VerifiedAccess' THEN 'Verified Access'
        WHEN e.event_name ~ 'RouteServer' THEN 'route server'
        WHEN e.event_name ~ 'Route' THEN 'route table'
        WHEN e.event_name ~ 'Subnet' THEN 'subnet'
        WHEN e.event_name ~ 'Interface|sign(PrivateIp|Ipv6)Addresses|DnsName|Instance'
            THEN 'network interface'
        WHEN e.event_name ~ 'Address|ByoipCidr|CoipCidr|Pool' THEN 'Elastic IP'
        WHEN e.event_name ~ 'Vpc' THEN 'VPC'
        ELSE 'network'
    END AS service,
    CASE
        WHEN e.event_name ~ '^(Create|Allocate|Import|Provision|Register)' THEN 'create'
        WHEN e.event_name ~ '^(Delete|Release|Terminate|Deprovision|Deregister)' THEN 'delete'
        WHEN e.event_name ~ '^(Attach|Associate|Assign|Apply)' THEN 'attach'
        WHEN e.event_name ~ '^(Detach|Disassociate|Unassign)' THEN 'detach'
        WHEN e.event_name ~ '^(Authorize|Revoke|Accept|Reject|Enable|Disable)'
            THEN lower(substring(e.event_name FROM '^[A-Z][a-z]+'))
        ELSE 'modify'
    END AS change,
    coalesce(
        p.response #>> '{vpcPeeringConnection,requesterVpcInfo,vpcId}', found.vpc_id
    ) AS vpc_id,
    coalesce(
        p.response #>> '{vpcPeeringConnection,accepterVpcInfo,vpcId}', p.request ->> 'peerVpcId'
    ) AS peer_vpc_id,
    found.subnet_id,
    found.route_table_id,
    found.gateway_id,
    found.allocation_id,
    found.association_id,
    found.peering_connection_id,
    found.network_acl_id,
    found.group_id,
    found.network_interface_id,
    found.instance_id,
    found.resource_ids,
    found.public_ip,
    found.cidrs,
    found.to_world,
    found.protocol,
    found.from_port,
    found.to_port,
    e.error_code IS NULL OR e.error_code = '200' AS success,
    e.error_code,
    e.user_arn,
    e.source_ip_address,
    e.aws_region,
    e.recipient_account_id,
    e.timestamp,
    e.log_group_name,
    e.request_parameters,
    e.response_elements
FROM @extschema@.cloudtrail_event e
-- OFFSET 0: computed once a row, not once a column
CROSS JOIN LATERAL (
    SELECT
        coalesce(@extschema@.cloudtrail_ec2_parameters(e.request_parameters), '{}') AS request,
        coalesce(@extschema@.cloudtrail_ec2_parameters(e.response_elements), '{}') AS response
    OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^vpc-[0-9A-Za-z]+$' AND m.key !~* 'peer'))[1] AS vpc_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^subnet-[0-9A-Za-z]+$'))[1] AS subnet_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^((tgw|lgw)-)?rtb-[0-9A-Za-z]+$'))[1] AS route_table_id,
        (array_agg(m.text ORDER BY m.text LIKE 'cgw-%', m.place) FILTER (
            WHERE m.is_id AND m.text ~ '^(igw|eigw|nat|vgw|cgw|tgw|lgw|cagw)-[0-9A-Za-z]+$'
        ))[1] AS gateway_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^eipalloc-'))[1] AS allocation_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^[a-z-]*assoc-[0-9A-Za-z]+$'))[1] AS association_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^pcx-'))[1] AS peering_connection_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^acl-'))[1] AS network_acl_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^sg-'))[1] AS group_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^eni-[0-9A-Za-z]+$'))[1] AS network_interface_id,
        (array_agg(m.text ORDER BY m.place)
            FILTER (WHERE m.is_id AND m.text ~ '^i-[0-9A-Za-z]+$'))[1] AS instance_id,
        array_agg(DISTINCT m.text) FILTER (WHERE m.is_id) AS resource_ids,
        (array_agg(m.text ORDER BY m.place) FILTER (WHERE m.key = 'publicIp'))[1] AS public_ip,
        array_agg(DISTINCT m.text) FILTER (WHERE m.is_cidr) AS cidrs,
        bool_or(masklen(@extschema@.try_inet(m.text)) = 0) FILTER (WHERE m.is_cidr) AS to_world,
        -- of several rules with different values none is the change's own
        CASE WHEN count(DISTINCT m.text) FILTER (WHERE m.is_protocol) = 1
            THEN min(m.text) FILTER (WHERE m.is_protocol) END AS protocol,
        CASE WHEN count(DISTINCT m.text) FILTER (WHERE m.is_protocol) <= 1
                AND count(DISTINCT m.text) FILTER (WHERE m.is_from) = 1
            THEN @extschema@.cloudtrail_ec2_port(min(m.text) FILTER (WHERE m.is_from)) END AS from_port,
        CASE WHEN count(DISTINCT m.text) FILTER (WHERE m.is_protocol) <= 1
                AND count(DISTINCT m.text) FILTER (WHERE m.is_to) = 1
            THEN @extschema@.cloudtrail_ec2_port(min(m.text) FILTER (WHERE m.is_to)) END AS to_port
    FROM (
        SELECT
            pair.place,
            side.number = 1 AND pair.member ->> 'key' ~* '^(ip|acl)?protocol$' AS is_protocol,
            side.number = 1 AND pair.member ->> 'key' ~ '^from(Port)?$' AS is_from,
            side.number = 1 AND pair.member ->> 'key' ~ '^to(Port)?$' AS is_to,
            pair.member ->> 'key' ~* 'cidr' AND jsonb_typeof(item) = 'string'
                AND item #>> '{}' <> ''
                AND (side.number = 1 OR e.event_name ~ '^(Create|Associate)(DefaultVpc|Vpc|Subnet|DefaultSubnet)(CidrBlock)?$')
                AND item #>> '{}' ~ '[.:]' AS is_cidr,
            -- by the member's name and by the form, so that tags and descriptions do not count
            pair.member ->> 'key' ~* '(id|ids|items?)$' AND jsonb_typeof(item) = 'string'
                AND item #>> '{}' ~ '^[a-z]+(-[a-z]+)*-[0-9A-Za-z]{8,17}$' AS is_id,
            pair.member ->> 'key' AS key,
            item #>> '{}' AS text
        FROM (VALUES (1, p.request), (2, p.response)) AS side (number, parameters)
        CROSS JOIN LATERAL (
            SELECT q.member, side.number * 1000000 + q.place AS place
            FROM jsonb_path_query(
                side.parameters, 'strict $.** ? (@.type() == "object").keyvalue()', '{}', true
            ) WITH ORDINALITY AS q (member, place)
        ) pair
        CROSS JOIN LATERAL jsonb_path_query(pair.member, 'lax $.value[*]', '{}', true) AS item
    ) m
) found
WHERE e.event_source = 'ec2.amazonaws.com'
    AND (
        e.event_name ~ '^(Accept|Advertise|Allocate|Apply|Assign|Associate|Attach|Authorize|BatchModify|Create|Delete|Deprovision|Deregister|Detach|Disable|Disassociate|Enable|Import|Modify|Move|Provision|Register|Reject|Release|Replace|Reset|Restore|Revoke|Terminate|Unassign|Update|Withdraw).*(Vpc|Vpn|Vgw|Subnet|Route|Gateway|Address|Acl|SecurityGroup|NetworkInterface|TrunkInterface|FlowLogs|DhcpOptions|Ipam|Cidr|PrefixList|TrafficMirror|VerifiedAccess|InstanceConnectEndpoint|Ipv4Pool|CoipPool|PublicIpDnsName|SecondaryNetwork)'
        OR (
            e.event_name IN ('ModifyInstanceAttribute', 'ResetInstanceAttribute')
            AND (
                p.request ?| ARRAY['groupSet', 'sourceDestCheck']
                OR p.request ->> 'attribute' IN ('groupSet', 'sourceDestCheck')
            )
        )
    );

COMMENT ON VIEW @extschema@.cloudtrail_vpc_change
IS 'One row for each call that changes a VPC or another part of EC2''s network, failed ones included.';

GRANT SELECT ON @extschema@.cloudtrail_vpc_change TO @reader@;
