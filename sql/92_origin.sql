-- Where an event came from: AWS on its own, a customer on AWS, or somebody else.

-- Only callers whose form AWS documents. A caller with a principal is known by what only AWS can
-- write: invokedBy and the service's name as source. One without is known by an address that no
-- customer can have, and by session name and user agent besides.
CREATE OR REPLACE VIEW @extschema@.cloudtrail_automatic_caller AS
WITH caller (
    service, principal, event_source, event_names, service_linked_role, role_session_name,
    user_agent, documentation_url
) AS (VALUES
    ('VPC Flow Logs', NULL, 'logs.amazonaws.com',
     ARRAY['CreateLogGroup', 'CreateLogStream', 'PutLogEvents', 'DescribeLogGroups', 'DescribeLogStreams'],
     false, 'vpc-flow-logging+ACCOUNT', 'aws-vpc-flow-logs',
     'https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html'),
    ('VPC Flow Logs', 'vpc-flow-logs.amazonaws.com', 'sts.amazonaws.com', ARRAY['AssumeRole'],
     false, NULL, NULL,
     'https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html'),
    ('CloudTrail', 'cloudtrail.amazonaws.com', 's3.amazonaws.com',
     ARRAY['GetBucketAcl', 'PutObject'], false, NULL, NULL,
     'https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html'),
    ('Elastic Load Balancing', 'elasticloadbalancing.amazonaws.com', 'ec2.amazonaws.com',
     ARRAY['AssignIpv6Addresses', 'AssignPrivateIpAddresses', 'AssociateAddress', 'AttachNetworkInterface',
           'AuthorizeSecurityGroupIngress', 'CreateNetworkInterface', 'CreateSecurityGroup',
           'DeleteNetworkInterface', 'Describe%', 'DetachNetworkInterface', 'DisassociateAddress',
           'ModifyNetworkInterfaceAttribute', 'ReleaseAddress', 'UnassignIpv6Addresses'],
     true, NULL, NULL,
     'https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html'),
    ('EC2 Auto Scaling', 'autoscaling.amazonaws.com', 'ec2.amazonaws.com',
     ARRAY['CancelSpotInstanceRequests', 'CreateTags', 'DeleteTags', 'Describe%',
           'ModifyInstanceAttribute', 'RequestSpotInstances', 'RunInstances', 'TerminateInstances'],
     true, NULL, NULL,
     'https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html'),
    ('EC2 Auto Scaling', 'autoscaling.amazonaws.com', 'elasticloadbalancing.amazonaws.com',
     ARRAY['Register%', 'Deregister%', 'Describe%'], true, NULL, NULL,
     'https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html'),
    ('EC2 Auto Scaling', 'autoscaling.amazonaws.com', 'monitoring.amazonaws.com',
     ARRAY['DeleteAlarms', 'DescribeAlarms', 'PutMetricAlarm'], true, NULL, NULL,
     'https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-service-linked-role.html'),
    ('AWS Config', 'config.amazonaws.com', NULL, ARRAY['Describe%', 'Get%', 'List%'],
     true, NULL, NULL,
     'https://docs.aws.amazon.com/config/latest/developerguide/using-service-linked-roles-config.html'),
    ('EC2 instance roles', 'ec2.amazonaws.com', 'sts.amazonaws.com', ARRAY['AssumeRole'],
     false, NULL, NULL,
     'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-roles-for-amazon-ec2.html'),
    ('Lambda execution roles', 'lambda.amazonaws.com', 'sts.amazonaws.com', ARRAY['AssumeRole'],
     false, NULL, NULL,
     'https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html')
)
SELECT
    c.service,
    c.principal,
    c.event_source,
    c.event_names,
    c.service_linked_role,
    c.role_session_name,
    c.user_agent,
    c.documentation_url,
    '{ ' || pg_catalog.concat_ws(
        ' && ',
        '$.eventSource = "' || c.event_source || '"',
        (SELECT '(' || pg_catalog.string_agg(
                    '$.eventName = "' || pg_catalog.replace(n.name, '%', '*') || '"', ' || ') || ')'
         FROM pg_catalog.unnest(c.event_names) AS n (name)),
        '$.userIdentity.invokedBy = "' || c.principal || '"',
        '$.sourceIPAddress = "' || c.principal || '"',
        CASE
            WHEN c.principal IS NULL THEN
                '$.userIdentity.type = "AssumedRole" && $.userIdentity.arn = "*/'
                || pg_catalog.replace(c.role_session_name, 'ACCOUNT', '*')
                || '" && $.userAgent = "' || c.user_agent || '*"'
            WHEN c.service_linked_role THEN
                '($.userIdentity.type = "AWSService" || $.userIdentity.type NOT EXISTS'
                || ' || $.userIdentity.sessionContext.sessionIssuer.arn = "*:role/aws-service-role/'
                || c.principal || '/*")'
            ELSE '($.userIdentity.type = "AWSService" || $.userIdentity.type NOT EXISTS)'
        END
    ) || ' }' AS filter_pattern
FROM caller c;

COMMENT ON VIEW @extschema@.cloudtrail_automatic_caller
IS 'AWS services that call on their own: events, form of caller, and the page where AWS says so.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.principal
IS 'invokedBy and sourceIPAddress of such a call; NULL where the service calls as your role, from an address.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.event_source
IS 'Service that is called; NULL for any.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.event_names
IS 'Names of events, each as a LIKE pattern.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.service_linked_role
IS 'Whether it also calls as its service-linked role, which nobody else can assume.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.role_session_name
IS 'Session name; ACCOUNT stands for the account''s id.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.user_agent
IS 'How userAgent begins.';
COMMENT ON COLUMN @extschema@.cloudtrail_automatic_caller.filter_pattern
IS 'The same as a CloudWatch Logs filter pattern, but for the address''s AWS range, which no pattern can test.';

CREATE OR REPLACE VIEW @extschema@.cloudtrail_event_origin AS
SELECT
    e.log_group_name,
    e."timestamp",
    e.event_time,
    e.event_id,
    e.event_name,
    e.event_source,
    e.aws_region,
    e.recipient_account_id,
    e.read_only,
    e.error_code,
    e.user_type,
    e.user_arn,
    e.user_account_id,
    e.access_key_id,
    e.role_session_name,
    e.session_issuer_arn,
    e.invoked_by,
    e.source_ip_address,
    e.user_agent,
    o.origin,
    o.decided_by || CASE
        WHEN a.service IS NULL THEN '{}'::pg_catalog.text[]
        WHEN a.principal IS NOT NULL THEN
            '{eventSource,eventName,userIdentity.type,userIdentity.invokedBy}'::pg_catalog.text[]
        ELSE '{eventSource,eventName,userIdentity.type,userIdentity.arn,userAgent}'::pg_catalog.text[]
    END AS decided_by,
    a.service IS NOT NULL AS is_aws_automatic,
    a.service AS automatic_service,
    a.documentation_url,
    i.aws_range_class,
    i.aws_region AS address_aws_region
FROM @extschema@.cloudtrail_event e
LEFT JOIN @extschema@.ip_enrichment i ON i.ip = e.source_ip_address
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN e.source_address_class = 'aws_internal' AND e.session_credential_from_console
                THEN 'aws_console_proxy'
            WHEN e.source_address_class IN ('aws_internal', 'aws_service') THEN 'aws_service'
            WHEN e.source_address_class IN ('private', 'loopback', 'link_local', 'cgnat')
                THEN 'private'
            WHEN e.source_address_class = 'public' THEN CASE
                -- their ranges are "services" of ip-ranges.json, but customers' code runs there
                WHEN i.aws_customer_usable OR i.aws_services && '{CODEBUILD,CLOUD9}'::pg_catalog.text[]
                    THEN 'aws_customer_ec2'
                WHEN i.is_aws THEN 'aws_infrastructure'
                WHEN NOT i.is_aws THEN 'internet'
                ELSE 'unknown'
            END
            ELSE 'unknown'
        END,
        CASE
            WHEN e.source_address_class = 'public' THEN '{sourceIPAddress,ip-ranges.json}'
            WHEN e.source_address_class = 'aws_internal'
                THEN '{sourceIPAddress,sessionCredentialFromConsole}'
            ELSE '{sourceIPAddress}'
        END::pg_catalog.text[]
) AS o (origin, decided_by)
LEFT JOIN LATERAL (
    SELECT c.service, c.principal, c.documentation_url
    FROM @extschema@.cloudtrail_automatic_caller c
    WHERE COALESCE(c.event_source, e.event_source) = e.event_source
        AND e.event_name LIKE ANY (c.event_names)
        AND CASE
            WHEN c.principal IS NOT NULL THEN
                e.invoked_by = c.principal
                AND e.source_ip_address = c.principal
                -- a person's call that the service passes on has the person's identity
                AND (
                    e.user_type = 'AWSService'
                    OR e.user_type IS NULL AND e.user_arn IS NULL
                    OR c.service_linked_role
                    AND e.user_type = 'AssumedRole'
                    AND pg_catalog.split_part(e.session_issuer_arn, ':', 3) = 'iam'
                    AND pg_catalog.split_part(e.session_issuer_arn, ':', 5) = e.user_account_id
                    AND pg_catalog.starts_with(
                        pg_catalog.split_part(e.session_issuer_arn, ':', 6),
                        'role/aws-service-role/' || c.principal || '/'
                    )
                )
            ELSE
                o.origin = 'aws_infrastructure'
                AND i.aws_range_class = 'infrastructure'
                AND e.user_type = 'AssumedRole'
                AND e.role_session_name
                    = pg_catalog.replace(c.role_session_name, 'ACCOUNT', e.user_account_id)
                AND pg_catalog.starts_with(e.user_agent, c.user_agent)
        END
    LIMIT 1
) AS a ON true;

COMMENT ON VIEW @extschema@.cloudtrail_event_origin
IS 'Each event with the class of its source and whether it is a documented automatic call of AWS.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.origin
IS 'aws_service, aws_infrastructure, aws_customer_ec2, aws_console_proxy, private, internet or unknown (no address, or no current ip-ranges.json to look in).';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.decided_by
IS 'What origin and is_aws_automatic were decided by: members of the record, ip-ranges.json.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.is_aws_automatic
IS 'Whether the call has every mark of a row of cloudtrail_automatic_caller; userAgent alone never suffices.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.automatic_service
IS 'The AWS service that called on its own.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.documentation_url
IS 'Where AWS says that it does.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.aws_range_class
IS 'As in ip_enrichment.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_origin.address_aws_region
IS 'Region of the AWS range that holds the address.';

GRANT SELECT ON @extschema@.cloudtrail_automatic_caller TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_event_origin TO @reader@;

-- Names of those who rent out machines or tunnels, as they stand in the registries of ASNs.
CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_is_hosting(as_organization text)
RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT
AS $hosting$
SELECT as_organization OPERATOR(pg_catalog.~*) (
    'hosting|\mhost|server|data ?cent(er|re)|\mcolo|\mvp[ns]\M|cloud'
    '|akamai|alibaba|choopa|clouvider|constant company|contabo|datacamp|digitalocean|flokinet'
    '|gigenet|google|hetzner|hivelocity|hostinger|ionos|ip volume|leaseweb|linode|m247|microsoft'
    '|mullvad|namecheap|njalla|online s\.?a\.?s|oracle|ovh|performive|psychz|quadranet|racknerd'
    '|scaleway|stark industries|tencent|vultr|zenlayer'
)
$hosting$;

COMMENT ON FUNCTION @extschema@.cloudtrail_is_hosting(text)
IS 'Whether ip_enrichment.as_organization is known, by name, to rent out machines or tunnels: people''s own lines are elsewhere.';

GRANT EXECUTE ON FUNCTION @extschema@.cloudtrail_is_hosting(text) TO @reader@;
