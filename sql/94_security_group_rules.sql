-- Security groups: one row for each rule that a call adds, removes or changes.
CREATE OR REPLACE VIEW @extschema@.cloudtrail_security_group_rule AS
SELECT
    e.event_time,
    e.event_id,
    e.event_name,
    lower(substring(e.event_name FROM '^[A-Z][a-z]+')) AS change,
    coalesce(
        p.request ->> 'groupId',
        rule.known ->> 'groupId',
        p.response #>> '{securityGroupRuleSet,items,0,groupId}'
    ) AS group_id,
    p.request ->> 'groupName' AS group_name,
    coalesce(rule.body ->> 'securityGroupRuleId', rule.known ->> 'securityGroupRuleId')
        AS security_group_rule_id,
    CASE
        WHEN e.event_name ~ 'Egress$' THEN true
        WHEN e.event_name ~ 'Ingress$' THEN false
        WHEN rule.known ->> 'isEgress' IN ('true', 'false') THEN (rule.known ->> 'isEgress')::boolean
    END AS egress,
    nullif(coalesce(rule.body ->> 'ipProtocol', rule.known ->> 'ipProtocol'), '') AS protocol,
    @extschema@.cloudtrail_ec2_port(coalesce(rule.body ->> 'fromPort', rule.known ->> 'fromPort'))
        AS from_port,
    @extschema@.cloudtrail_ec2_port(coalesce(rule.body ->> 'toPort', rule.known ->> 'toPort'))
        AS to_port,
    target.cidr,
    @extschema@.try_inet(target.cidr) AS network,
    nullif(target.peer ->> 'prefixListId', '') AS prefix_list_id,
    coalesce(
        listed.peer ->> 'groupId', listed.peer ->> 'groupName',
        target.peer ->> 'sourceSecurityGroupName', target.peer ->> 'referencedGroupId',
        target.peer #>> '{referencedGroupInfo,groupId}'
    ) AS referenced_group,
    coalesce(
        listed.peer ->> 'userId', target.peer ->> 'sourceSecurityGroupOwnerId',
        target.peer #>> '{referencedGroupInfo,userId}'
    ) AS referenced_account_id,
    CASE
        WHEN target.cidr IS NOT NULL THEN masklen(@extschema@.try_inet(target.cidr)) = 0
        WHEN target.peer ?| ARRAY[
            'prefixListId', 'groupId', 'groupName', 'referencedGroupId', 'referencedGroupInfo',
            'sourceSecurityGroupName'
        ] AND rule.known IS NULL OR rule.known ?| ARRAY['prefixListId', 'referencedGroupInfo'] THEN false
    END AS open_to_world,
    target.peer ->> 'description' AS description,
    e.error_code IS NULL OR e.error_code = '200' AS success,
    e.error_code,
    e.user_arn,
    e.source_ip_address,
    e.aws_region,
    e.recipient_account_id,
    e.timestamp,
    e.log_group_name
FROM @extschema@.cloudtrail_event e
CROSS JOIN LATERAL (
    SELECT
        coalesce(@extschema@.cloudtrail_ec2_parameters(e.request_parameters), '{}') AS request,
        coalesce(@extschema@.cloudtrail_ec2_parameters(e.response_elements), '{}') AS response
    OFFSET 0
) p
-- a call whose rules cannot be read is a row too: CloudTrail omits requests over 100 KB
LEFT JOIN LATERAL (
    -- permissions with lists of sources; with "items" around them or, from XML, without
    SELECT body, NULL::jsonb AS known
    FROM jsonb_path_query(coalesce(p.request #> '{ipPermissions,items}', p.request -> 'ipPermissions'),
        'lax $[*] ? (@.type() == "object")', '{}', true) AS body
    WHERE body <> '{}'
    UNION ALL
    -- the old form: one rule in the request itself
    SELECT p.request - 'groupId' - 'groupName' - 'ipPermissions', NULL
    WHERE p.request ?| ARRAY['cidrIp', 'cidrIpv6', 'ipProtocol', 'sourceSecurityGroupName']
    UNION ALL
    -- ModifySecurityGroupRules: an id and the rule's new form
    SELECT coalesce(change -> 'securityGroupRule', '{}')
        || jsonb_build_object('securityGroupRuleId', change -> 'securityGroupRuleId'), NULL
    FROM jsonb_path_query(
        p.request,
        'lax $.keyvalue() ? (@.key == "securityGroupRule" || @.key == "securityGroupRules"
            || @.key == "securityGroupRuleSet").value',
        '{}', true
    ) AS listed
    CROSS JOIN LATERAL jsonb_path_query(coalesce(listed -> 'items', listed),
        'lax $[*] ? (@.type() == "object")', '{}', true) AS change
    WHERE change ? 'securityGroupRuleId' OR jsonb_typeof(change -> 'securityGroupRule') = 'object'
    UNION ALL
    -- Revoke… by id: what the rule was is in the response, when it is anywhere
    SELECT '{}', coalesce(was.rule, jsonb_build_object('securityGroupRuleId', revoked.id))
    FROM (
        SELECT coalesce(item ->> 'securityGroupRuleId', item #>> '{}') AS id
        FROM jsonb_path_query(
            p.request,
            'lax $.keyvalue() ? (@.key == "securityGroupRuleId" || @.key == "securityGroupRuleIds").value',
            '{}', true
        ) AS listed
        CROSS JOIN LATERAL jsonb_path_query(coalesce(listed -> 'items', listed),
            'lax $[*]', '{}', true) AS item
        WHERE item <> '{}'
    ) revoked
    LEFT JOIN LATERAL (
        SELECT rule
        FROM jsonb_path_query(
            p.response, 'lax $.revokedSecurityGroupRuleSet.*[*]', '{}', true
        ) AS rule
        WHERE rule ->> 'securityGroupRuleId' = revoked.id
        LIMIT 1
    ) was ON true
) rule ON true
LEFT JOIN LATERAL (
    SELECT peer
    FROM (VALUES ('ipRanges'), ('ipv6Ranges'), ('prefixListIds'), ('groups')) AS list (name)
    CROSS JOIN LATERAL jsonb_path_query(
        coalesce(rule.body -> list.name -> 'items', rule.body -> list.name),
        'lax $[*] ? (@.type() == "object")', '{}', true
    ) AS peer
    WHERE peer <> '{}'
) listed ON true
-- a rule without lists names its one source itself; a permission with none is a row too
CROSS JOIN LATERAL (
    SELECT
        own.peer,
        nullif(
            coalesce(own.peer ->> 'cidrIp', own.peer ->> 'cidrIpv6', own.peer ->> 'cidrIpv4'), ''
        ) AS cidr
    FROM (SELECT coalesce(listed.peer, rule.body || coalesce(rule.known, '{}')) AS peer) own
    OFFSET 0
) target
WHERE e.event_source = 'ec2.amazonaws.com'
    AND e.event_name IN (
        'AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress',
        'RevokeSecurityGroupIngress', 'RevokeSecurityGroupEgress', 'ModifySecurityGroupRules'
    );

COMMENT ON VIEW @extschema@.cloudtrail_security_group_rule
IS 'One row for each rule that a call adds to, removes from or changes in a security group.';

GRANT SELECT ON @extschema@.cloudtrail_security_group_rule TO @reader@;
