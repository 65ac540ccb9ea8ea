-- The foreign tables. Generated from the declarations in fdw/cloudtrail_fdw/tables by
-- python -m cloudtrail_fdw.render; change them there.

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudtrail_event (
    log_group_name text,
    log_group_region text,
    log_group_account_id text,
    log_stream_name text,
    log_event_id text,
    timestamp timestamp with time zone,
    ingestion_time timestamp with time zone,
    event_time timestamp with time zone,
    event_id text,
    event_name text,
    event_source text,
    event_type text,
    event_category text,
    event_version text,
    api_version text,
    aws_region text,
    recipient_account_id text,
    request_id text,
    shared_event_id text,
    read_only boolean,
    management_event boolean,
    error_code text,
    error_message text,
    user_agent text,
    vpc_endpoint_id text,
    vpc_endpoint_account_id text,
    session_credential_from_console boolean,
    user_type text,
    username text,
    user_arn text,
    principal_id text,
    user_account_id text,
    access_key_id text,
    invoked_by text,
    invoked_by_delegate text,
    identity_provider text,
    federated_provider text,
    on_behalf_of_user_id text,
    credential_id text,
    source_identity text,
    in_scope_of jsonb,
    role_session_name text,
    session_issuer_type text,
    session_issuer_arn text,
    session_issuer_name text,
    session_creation_date timestamp with time zone,
    mfa_authenticated boolean,
    ec2_role_delivery text,
    assumed_root boolean,
    user_identifier text,
    source_ip_address text,
    source_ip inet,
    source_address_class text,
    user_identity jsonb,
    request_parameters jsonb,
    response_elements jsonb,
    additional_event_data jsonb,
    service_event_details jsonb,
    resources jsonb,
    insight_details jsonb,
    tls_details jsonb,
    edge_device_details jsonb,
    addendum jsonb,
    event_context jsonb,
    cloudtrail_event jsonb,
    message text,
    parse_error text,
    filter text
)
SERVER cloudtrail OPTIONS (table_name 'cloudtrail_event');

COMMENT ON FOREIGN TABLE @extschema@.cloudtrail_event
IS 'One row for every event that a trail delivered to CloudWatch Logs.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.log_group_name
IS 'Log group, as the query or option names it, else its name.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.log_group_region
IS 'Region of the log group.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.log_group_account_id
IS 'Account that owns the log group.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.log_stream_name
IS 'Log stream within the group.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.log_event_id
IS 'CloudWatch Logs'' id of the log event, unique where event_id is not.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.timestamp
IS 'When the event was delivered, minutes after event_time.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.ingestion_time
IS 'When CloudWatch Logs stored the event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_time
IS 'When the request was made; timestamp where the record has no readable eventTime.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_id
IS 'CloudTrail''s id of the event; two deliveries of one event share it.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_name
IS 'API action, such as RunInstances.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_source
IS 'Service that was asked, such as ec2.amazonaws.com.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_type
IS 'AwsApiCall, AwsServiceEvent, AwsConsoleSignIn and their kin.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_category
IS 'Management, Data, NetworkActivity or Insight.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_version
IS 'Version of the record''s format.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.api_version
IS 'Version of the service''s API.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.aws_region
IS 'Region the request was made to.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.recipient_account_id
IS 'Account that received the event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.request_id
IS 'Id of the request, given by the service.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.shared_event_id
IS 'Id shared by the copies of one event in several accounts.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.read_only
IS 'Whether the action only reads.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.management_event
IS 'Whether it is a management event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.error_code
IS 'AWS''s error code when the request failed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.error_message
IS 'Description of the error.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.user_agent
IS 'Agent through which the request was made.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.vpc_endpoint_id
IS 'VPC endpoint the request came through.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.vpc_endpoint_account_id
IS 'Account that owns the VPC endpoint.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.session_credential_from_console
IS 'Whether the credentials came from a console session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.user_type
IS 'Kind of identity, such as IAMUser or AssumedRole.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.username
IS 'Friendly name of the identity.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.user_arn
IS 'ARN of the principal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.principal_id
IS 'Unique id of the principal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.user_account_id
IS 'Account of the principal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.access_key_id
IS 'Access key that signed the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.invoked_by
IS 'AWS service that made the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.invoked_by_delegate
IS 'Account that invoked the request on behalf of the caller.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.identity_provider
IS 'External identity provider.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.federated_provider
IS 'Provider of a web identity session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.on_behalf_of_user_id
IS 'IAM Identity Center user the call was made for.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.credential_id
IS 'Credential of an IAM Identity Center user.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.source_identity
IS 'Source identity set when the role was assumed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.in_scope_of
IS 'Source account and ARN a service''s credentials were issued for.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.role_session_name
IS 'Session name given when the role was assumed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.session_issuer_type
IS 'Kind of what issued the session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.session_issuer_arn
IS 'ARN of the role or user that issued the session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.session_issuer_name
IS 'Name of the role or user that issued the session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.session_creation_date
IS 'When the session''s credentials were issued.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.mfa_authenticated
IS 'Whether the session was authenticated with MFA.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.ec2_role_delivery
IS 'Version of the instance metadata service that gave the credentials.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.assumed_root
IS 'Whether the session came from AssumeRoot.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.user_identifier
IS 'First of user_arn, session_issuer_arn and principal_id that is there.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.source_ip_address
IS 'Where the request came from, as written: an address, a service name or AWS Internal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.source_ip
IS 'source_ip_address when it is one address.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.source_address_class
IS 'Class of source_ip_address, as in ip_enrichment.address_class.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.user_identity
IS 'userIdentity as recorded.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.request_parameters
IS 'Parameters of the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.response_elements
IS 'Elements of the response, for actions that change something.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.additional_event_data
IS 'Data that is part of neither request nor response.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.service_event_details
IS 'What set off a service event, and its result.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.resources
IS 'Resources accessed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.insight_details
IS 'What an Insights event is about.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.tls_details
IS 'TLS version, cipher suite and host of the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.edge_device_details
IS 'Edge device the request was made to.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.addendum
IS 'Why an event was delivered late or replaced.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.event_context
IS 'Tags and condition keys added to the event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.cloudtrail_event
IS 'The whole record.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.message
IS 'The log event''s text, byte for byte.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.parse_error
IS 'What in the message could not be read; NULL when all could.';
COMMENT ON COLUMN @extschema@.cloudtrail_event.filter
IS 'CloudWatch Logs filter pattern of your own: filter = ''{ … }''.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.ip_enrichment (
    ip text,
    address inet,
    ip_version integer,
    address_class text,
    continent_code text,
    continent_name text,
    country_code text,
    country_name text,
    region_code text,
    region_name text,
    city text,
    postal_code text,
    latitude double precision,
    longitude double precision,
    time_zone text,
    accuracy_radius_km integer,
    asn bigint,
    as_organization text,
    geo_database text,
    is_aws boolean,
    aws_range_class text,
    aws_customer_usable boolean,
    aws_services text[],
    aws_region text,
    aws_network_border_group text,
    aws_prefix cidr,
    aws_ranges_date timestamp with time zone,
    reverse_dns text,
    reverse_dns_status text,
    reverse_dns_names text[]
)
SERVER cloudtrail OPTIONS (table_name 'ip_enrichment');

COMMENT ON FOREIGN TABLE @extschema@.ip_enrichment
IS 'Geolocation, autonomous system, AWS range and reverse DNS of a source address.';
COMMENT ON COLUMN @extschema@.ip_enrichment.ip
IS 'The value asked for, exactly as given; any text.';
COMMENT ON COLUMN @extschema@.ip_enrichment.address
IS 'The address; NULL unless the value is one address.';
COMMENT ON COLUMN @extschema@.ip_enrichment.ip_version
IS '4 or 6; NULL unless the value is one address.';
COMMENT ON COLUMN @extschema@.ip_enrichment.address_class
IS 'public, private, loopback, link_local, cgnat, documentation, multicast, reserved, aws_service, aws_internal, hostname or invalid; of an IPv4-mapped or 6to4 address, that of the IPv4 address inside.';
COMMENT ON COLUMN @extschema@.ip_enrichment.continent_code
IS 'Continent, two letters.';
COMMENT ON COLUMN @extschema@.ip_enrichment.continent_name
IS 'Continent, in English.';
COMMENT ON COLUMN @extschema@.ip_enrichment.country_code
IS 'Country, ISO 3166-1 alpha-2.';
COMMENT ON COLUMN @extschema@.ip_enrichment.country_name
IS 'Country, in English.';
COMMENT ON COLUMN @extschema@.ip_enrichment.region_code
IS 'State or province, ISO 3166-2; not in every database.';
COMMENT ON COLUMN @extschema@.ip_enrichment.region_name
IS 'State or province.';
COMMENT ON COLUMN @extschema@.ip_enrichment.city
IS 'City.';
COMMENT ON COLUMN @extschema@.ip_enrichment.postal_code
IS 'Postal code; not in every database.';
COMMENT ON COLUMN @extschema@.ip_enrichment.latitude
IS 'Degrees north (WGS 84), approximate.';
COMMENT ON COLUMN @extschema@.ip_enrichment.longitude
IS 'Degrees east (WGS 84), approximate.';
COMMENT ON COLUMN @extschema@.ip_enrichment.time_zone
IS 'IANA time zone; not in every database.';
COMMENT ON COLUMN @extschema@.ip_enrichment.accuracy_radius_km
IS 'Radius around the coordinates; MaxMind''s only.';
COMMENT ON COLUMN @extschema@.ip_enrichment.asn
IS 'Number of the autonomous system that announces the address.';
COMMENT ON COLUMN @extschema@.ip_enrichment.as_organization
IS 'Holder of the autonomous system.';
COMMENT ON COLUMN @extschema@.ip_enrichment.geo_database
IS 'Type and build date of the database that was asked; says so when it is the sample.';
COMMENT ON COLUMN @extschema@.ip_enrichment.is_aws
IS 'Whether AWS''s ip-ranges.json lists the address; NULL where only the sample was asked.';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_range_class
IS 'ec2 (EC2 and no other service), service (a named one) or infrastructure (AMAZON only).';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_customer_usable
IS 'Whether a customer''s instance can have the address, that is, aws_range_class is ec2.';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_services
IS 'Services whose ranges contain the address, bar AMAZON.';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_region
IS 'Region of the most specific range; GLOBAL for edge services.';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_network_border_group
IS 'Border group of the most specific range.';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_prefix
IS 'The most specific range.';
COMMENT ON COLUMN @extschema@.ip_enrichment.aws_ranges_date
IS 'When AWS made the file.';
COMMENT ON COLUMN @extschema@.ip_enrichment.reverse_dns
IS 'The first name by reverse DNS; asking for it asks the name servers. Proof of nothing.';
COMMENT ON COLUMN @extschema@.ip_enrichment.reverse_dns_status
IS 'found, confirmed, none, timeout, error, or not_requested (also for values that are no public address, which are never sent out).';
COMMENT ON COLUMN @extschema@.ip_enrichment.reverse_dns_names
IS 'All names by reverse DNS, in alphabetical order.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudtrail_trail (
    name text,
    arn text,
    home_region text,
    is_multi_region_trail boolean,
    is_organization_trail boolean,
    include_global_service_events boolean,
    log_group_arn text,
    log_group_name text,
    cloudwatch_logs_role_arn text,
    s3_bucket_name text,
    s3_key_prefix text,
    sns_topic_arn text,
    kms_key_id text,
    log_file_validation_enabled boolean,
    has_custom_event_selectors boolean,
    has_insight_selectors boolean,
    is_logging boolean,
    start_logging_time timestamp with time zone,
    stop_logging_time timestamp with time zone,
    latest_delivery_time timestamp with time zone,
    latest_delivery_error text,
    latest_cloudwatch_logs_delivery_time timestamp with time zone,
    latest_cloudwatch_logs_delivery_error text,
    latest_digest_delivery_time timestamp with time zone,
    latest_digest_delivery_error text,
    latest_notification_time timestamp with time zone,
    latest_notification_error text,
    event_selectors jsonb,
    advanced_event_selectors jsonb,
    status_error text
)
SERVER cloudtrail OPTIONS (table_name 'cloudtrail_trail');

COMMENT ON FOREIGN TABLE @extschema@.cloudtrail_trail
IS 'One row for every trail seen from the account, with its status and event selectors.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.name
IS 'Name of the trail.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.arn
IS 'ARN of the trail.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.home_region
IS 'Region the trail was created in.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.is_multi_region_trail
IS 'Whether it records all Regions.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.is_organization_trail
IS 'Whether it records all accounts of the organization.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.include_global_service_events
IS 'Whether events of global services such as IAM are recorded.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.log_group_arn
IS 'ARN of the log group it delivers to.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.log_group_name
IS 'Name of that group, as cloudtrail_event has it.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.cloudwatch_logs_role_arn
IS 'Role with which it delivers to the log group.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.s3_bucket_name
IS 'Bucket it delivers to.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.s3_key_prefix
IS 'Prefix of its keys in the bucket.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.sns_topic_arn
IS 'Topic told of deliveries.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.kms_key_id
IS 'Key that encrypts its files.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.log_file_validation_enabled
IS 'Whether digest files are written.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.has_custom_event_selectors
IS 'Whether event selectors were changed.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.has_insight_selectors
IS 'Whether Insights events are recorded.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.is_logging
IS 'Whether it is recording now.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.start_logging_time
IS 'When recording was last started.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.stop_logging_time
IS 'When recording was last stopped.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_delivery_time
IS 'Last delivery to the bucket.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_delivery_error
IS 'Error of the last delivery to the bucket.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_cloudwatch_logs_delivery_time
IS 'Last delivery to the log group.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_cloudwatch_logs_delivery_error
IS 'Error of the last delivery to the log group.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_digest_delivery_time
IS 'Last delivery of a digest file.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_digest_delivery_error
IS 'Error of the last delivery of a digest file.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_notification_time
IS 'Last notification of the topic.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.latest_notification_error
IS 'Error of the last notification of the topic.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.event_selectors
IS 'Which events are recorded, in the basic form.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.advanced_event_selectors
IS 'Which events are recorded, in the advanced form.';
COMMENT ON COLUMN @extschema@.cloudtrail_trail.status_error
IS 'Why status or selectors could not be read, as for another account''s trail.';
