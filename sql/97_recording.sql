-- What the trails select, and what they do not.

-- Of https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html,
-- which has some 160 types, those that hold data or run code of most accounts.
CREATE OR REPLACE VIEW @extschema@.cloudtrail_data_event_type AS
SELECT
    v.resource_type,
    v.service,
    v.basic_selectors,
    'https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html'
        AS documentation_url
FROM (VALUES
    ('AWS::S3::Object', 'Amazon S3', true),
    ('AWS::Lambda::Function', 'AWS Lambda', true),
    ('AWS::DynamoDB::Table', 'Amazon DynamoDB', true),
    ('AWS::S3::AccessPoint', 'Amazon S3', false),
    ('AWS::S3Express::Object', 'Amazon S3', false),
    ('AWS::S3ObjectLambda::AccessPoint', 'Amazon S3', false),
    ('AWS::S3Tables::Table', 'Amazon S3 Tables', false),
    ('AWS::S3Tables::TableBucket', 'Amazon S3 Tables', false),
    ('AWS::S3Vectors::Index', 'Amazon S3 Vectors', false),
    ('AWS::S3Vectors::VectorBucket', 'Amazon S3 Vectors', false),
    ('AWS::S3Outposts::Object', 'Amazon S3 on Outposts', false),
    ('AWS::DynamoDB::Stream', 'Amazon DynamoDB', false),
    ('AWS::EC2::Snapshot', 'Amazon Elastic Block Store', false),
    ('AWS::EC2::InstanceConnectEndpoint', 'Amazon Elastic Compute Cloud', false),
    ('AWS::ECS::ContainerInstance', 'Amazon Elastic Container Service', false),
    ('AWS::RDS::DBCluster', 'Amazon RDS', false),
    ('AWS::Redshift::Cluster', 'Amazon Redshift', false),
    ('AWS::DSQL::Cluster', 'Amazon Aurora DSQL', false),
    ('AWS::SNS::Topic', 'Amazon SNS', false),
    ('AWS::SNS::PlatformEndpoint', 'Amazon SNS', false),
    ('AWS::SQS::Queue', 'Amazon SQS', false),
    ('AWS::SES::EmailIdentity', 'Amazon Simple Email Service', false),
    ('AWS::Kinesis::Stream', 'Amazon Kinesis Data Streams', false),
    ('AWS::Kinesis::StreamConsumer', 'Amazon Kinesis Data Streams', false),
    ('AWS::KinesisVideo::Stream', 'Amazon Kinesis Video Streams', false),
    ('AWS::KinesisFirehose::DeliveryStream', 'Amazon Data Firehose', false),
    ('AWS::StepFunctions::StateMachine', 'AWS Step Functions', false),
    ('AWS::SSM::ManagedNode', 'AWS Systems Manager', false),
    ('AWS::SSMMessages::ControlChannel', 'AWS Systems Manager', false),
    ('AWS::Cognito::IdentityPool', 'Amazon Cognito', false),
    ('AWS::AppSync::GraphQLApi', 'AWS AppSync', false),
    ('AWS::AppConfig::Configuration', 'AWS AppConfig', false),
    ('AWS::Glue::Table', 'AWS Glue', false),
    ('AWS::CloudTrail::Channel', 'AWS CloudTrail', false),
    ('AWS::CloudFront::KeyValueStore', 'Amazon CloudFront', false),
    ('AWS::CloudWatch::Metric', 'Amazon CloudWatch', false),
    ('AWS::GuardDuty::Detector', 'Amazon GuardDuty', false),
    ('AWS::PaymentCryptography::Key', 'AWS Payment Cryptography', false),
    ('AWS::VerifiedPermissions::PolicyStore', 'Amazon Verified Permissions', false),
    ('AWS::Bedrock::AgentAlias', 'Amazon Bedrock', false),
    ('AWS::Bedrock::Guardrail', 'Amazon Bedrock', false),
    ('AWS::Bedrock::KnowledgeBase', 'Amazon Bedrock', false),
    ('AWS::Bedrock::Model', 'Amazon Bedrock', false),
    ('AWS::SageMaker::Endpoint', 'Amazon SageMaker AI', false),
    ('AWS::SageMaker::FeatureGroup', 'Amazon SageMaker AI', false),
    ('AWS::QBusiness::Application', 'Amazon Q Business', false),
    ('AWS::IoT::Thing', 'AWS IoT', false),
    ('AWS::Cassandra::Table', 'Amazon Keyspaces', false),
    ('AWS::NeptuneGraph::Graph', 'Amazon Neptune', false),
    ('AWS::Timestream::Table', 'Amazon Timestream', false)
) AS v (resource_type, service, basic_selectors);

COMMENT ON VIEW @extschema@.cloudtrail_data_event_type
IS 'Well-known resource types of data events, and the page on which AWS lists all of them.';
COMMENT ON COLUMN @extschema@.cloudtrail_data_event_type.basic_selectors
IS 'Whether basic event selectors can record it; the others need advanced ones.';

CREATE OR REPLACE VIEW @extschema@.cloudtrail_recording AS
WITH trail AS MATERIALIZED (
    SELECT
        t.name, t.arn, t.home_region, t.log_group_name, t.is_logging, t.has_insight_selectors,
        t.status_error, t.event_selectors, t.advanced_event_selectors,
        t.event_selectors IS NOT NULL OR t.advanced_event_selectors IS NOT NULL AS known
    FROM @extschema@.cloudtrail_trail t
),
advanced AS (
    SELECT
        t.arn,
        s.selector ->> 'Name' AS selector_name,
        s.selector -> 'FieldSelectors' AS field_selectors,
        f.category, f.resource_type, f.event_sources, f.excluded_event_sources,
        CASE f.read_only WHEN 'true' THEN 'ReadOnly' WHEN 'false' THEN 'WriteOnly' ELSE 'All' END
            AS read_write_type,
        f.partial
    FROM trail t
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(t.advanced_event_selectors) AS s (selector)
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.max(e.field #>> '{Equals,0}')
                FILTER (WHERE e.field ->> 'Field' = 'eventCategory') AS category,
            pg_catalog.max(e.field #>> '{Equals,0}')
                FILTER (WHERE e.field ->> 'Field' = 'resources.type') AS resource_type,
            -- both values together are no condition
            pg_catalog.max(e.field #>> '{Equals,0}') FILTER (
                WHERE e.field ->> 'Field' = 'readOnly'
                    AND pg_catalog.jsonb_array_length(e.field -> 'Equals') = 1
            ) AS read_only,
            pg_catalog.max(e.field ->> 'Equals')
                FILTER (WHERE e.field ->> 'Field' = 'eventSource')::jsonb AS event_sources,
            pg_catalog.max(e.field ->> 'NotEquals')
                FILTER (WHERE e.field ->> 'Field' = 'eventSource')::jsonb AS excluded_event_sources,
            pg_catalog.bool_or(
                e.field ->> 'Field' NOT IN ('eventCategory', 'resources.type', 'readOnly', 'eventSource')
                OR e.field ->> 'Field' = 'eventSource'
                    AND e.field - ARRAY['Field', 'Equals', 'NotEquals'] <> '{}'
            ) AS partial
        FROM pg_catalog.jsonb_array_elements(s.selector -> 'FieldSelectors') AS e (field)
    ) f
),
selected AS (
    SELECT
        t.arn, 'Management' AS category, NULL AS resource_type, NULL AS event_source,
        s.selector ->> 'ReadWriteType' AS read_write_type,
        COALESCE(s.selector -> 'ExcludeManagementEventSources', '[]') AS excluded_event_sources,
        NULL AS selector_name, NULL::jsonb AS field_selectors, false AS partial
    FROM trail t
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(t.event_selectors) AS s (selector)
    WHERE COALESCE((s.selector ->> 'IncludeManagementEvents')::boolean, true)
    UNION ALL
    SELECT
        t.arn, 'Data', d.resource ->> 'Type', NULL,
        s.selector ->> 'ReadWriteType', '[]', NULL,
        -- ARNs of functions are exact, those of the others are beginnings; API_DataResource.html
        pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object(
            'Field', 'resources.ARN',
            CASE d.resource ->> 'Type' WHEN 'AWS::Lambda::Function' THEN 'Equals' ELSE 'StartsWith' END,
            d.resource -> 'Values'
        )),
        NOT EXISTS (
            SELECT
            FROM pg_catalog.jsonb_array_elements_text(d.resource -> 'Values') AS v (arn)
            WHERE v.arn ~ '^arn:[^:]+:[^:]+(:::)?$'
        )
    FROM trail t
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(t.event_selectors) AS s (selector)
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(s.selector -> 'DataResources') AS d (resource)
    WHERE pg_catalog.jsonb_array_length(d.resource -> 'Values') > 0
    UNION ALL
    SELECT
        a.arn, a.category, a.resource_type, e.source, a.read_write_type,
        COALESCE(a.excluded_event_sources, '[]'), a.selector_name, a.field_selectors, a.partial
    FROM advanced a
    LEFT JOIN LATERAL pg_catalog.jsonb_array_elements_text(a.event_sources) AS e (source) ON true
    UNION ALL
    SELECT t.arn, 'Insight', NULL, NULL, 'All', '[]', NULL, NULL, false
    FROM trail t
    WHERE t.has_insight_selectors
),
possible AS (
    SELECT k.category, k.resource_type, k.half
    FROM (VALUES
        ('Management', NULL, 'ReadOnly'), ('Management', NULL, 'WriteOnly'),
        ('NetworkActivity', NULL, 'ReadOnly'), ('NetworkActivity', NULL, 'WriteOnly'),
        ('Insight', NULL, 'All')
    ) AS k (category, resource_type, half)
    UNION ALL
    SELECT 'Data', d.resource_type, h.half
    FROM @extschema@.cloudtrail_data_event_type d
    CROSS JOIN (VALUES ('ReadOnly'), ('WriteOnly')) AS h (half)
),
found AS (
    SELECT s.*, true AS selected FROM selected s
    UNION ALL
    -- what no selector selects; both halves of it as one row
    SELECT
        t.arn, p.category, p.resource_type, NULL,
        CASE WHEN pg_catalog.count(*) = 2 THEN 'All' ELSE pg_catalog.min(p.half) END,
        '[]', NULL, NULL, false, false
    FROM trail t
    CROSS JOIN possible p
    WHERE NOT EXISTS (
        SELECT
        FROM selected s
        WHERE s.arn = t.arn
            AND s.category = p.category
            AND s.resource_type IS NOT DISTINCT FROM p.resource_type
            AND s.read_write_type IN ('All', p.half)
    )
    GROUP BY t.arn, p.category, p.resource_type
    UNION ALL
    -- management events of a service that every selector of them leaves out
    SELECT s.arn, s.category, NULL, x.source, 'All', '[]', NULL, NULL, false, false
    FROM selected s
    CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(s.excluded_event_sources) AS x (source)
    WHERE s.category = 'Management'
        AND NOT EXISTS (
            SELECT
            FROM selected o
            WHERE o.arn = s.arn
                AND o.category = s.category
                AND NOT o.excluded_event_sources ? x.source
        )
    GROUP BY s.arn, s.category, x.source
)
SELECT
    t.name AS trail,
    t.arn AS trail_arn,
    t.home_region,
    t.log_group_name,
    f.category,
    f.resource_type,
    f.event_source,
    f.read_write_type,
    CASE WHEN t.known OR f.category = 'Insight' THEN f.selected AND t.is_logging END AS recorded,
    f.partial,
    ARRAY(SELECT pg_catalog.jsonb_array_elements_text(f.excluded_event_sources))
        AS excluded_event_sources,
    f.selector_name,
    f.field_selectors,
    t.is_logging,
    t.status_error
FROM trail t
JOIN found f ON f.arn = t.arn;

COMMENT ON VIEW @extschema@.cloudtrail_recording
IS 'What each trail records and what it does not: a row for each selector, and for each category or well-known resource type, or half of it, that none selects.';
COMMENT ON COLUMN @extschema@.cloudtrail_recording.recorded
IS 'Whether the trail selects it and is logging; NULL where its selectors or status could not be read (status_error).';
COMMENT ON COLUMN @extschema@.cloudtrail_recording.partial
IS 'Whether the selector has more conditions, so that only some of these events are recorded.';
COMMENT ON COLUMN @extschema@.cloudtrail_recording.event_source
IS 'Service the row is about; NULL is all services.';
COMMENT ON COLUMN @extschema@.cloudtrail_recording.read_write_type
IS 'All, ReadOnly or WriteOnly.';
COMMENT ON COLUMN @extschema@.cloudtrail_recording.field_selectors
IS 'The conditions as an advanced event selector has them; those of a basic one, written as such.';

GRANT SELECT ON @extschema@.cloudtrail_data_event_type TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_recording TO @reader@;
