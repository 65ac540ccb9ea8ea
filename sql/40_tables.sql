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
    reverse_dns_names text[],
    reverse_dns_confirmed text
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
IS 'The first name by reverse DNS, of those that are confirmed if there are any; asking for it asks the name servers. Proof of nothing.';
COMMENT ON COLUMN @extschema@.ip_enrichment.reverse_dns_status
IS 'found, confirmed (only where reverse_dns_confirmed is asked for), none, timeout, error, or not_requested (also for values that are no public address, which are never sent out).';
COMMENT ON COLUMN @extschema@.ip_enrichment.reverse_dns_names
IS 'All names by reverse DNS, in alphabetical order.';
COMMENT ON COLUMN @extschema@.ip_enrichment.reverse_dns_confirmed
IS 'The first name that leads back to the address; asking for it asks for the addresses of all names, too.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.aws_ip_range (
    prefix cidr,
    region text,
    service text,
    network_border_group text,
    create_date timestamp with time zone
)
SERVER cloudtrail OPTIONS (table_name 'aws_ip_range');

COMMENT ON FOREIGN TABLE @extschema@.aws_ip_range
IS 'One row for every address range and service that AWS''s ip-ranges.json lists.';
COMMENT ON COLUMN @extschema@.aws_ip_range.prefix
IS 'The range; of prefix >>= ''1.2.3.4'' only the ranges that hold the address are made.';
COMMENT ON COLUMN @extschema@.aws_ip_range.region
IS 'Region, or GLOBAL for edge locations.';
COMMENT ON COLUMN @extschema@.aws_ip_range.service
IS 'Service; AMAZON lists every range, so each has a row of it, too.';
COMMENT ON COLUMN @extschema@.aws_ip_range.network_border_group
IS 'Group of zones that AWS announces the range from.';
COMMENT ON COLUMN @extschema@.aws_ip_range.create_date
IS 'When AWS made the file.';

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

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudtrail_event_history (
    event_time timestamp with time zone,
    event_id text,
    event_name text,
    event_source text,
    read_only boolean,
    username text,
    access_key_id text,
    resource_name text,
    resource_type text,
    event_resources jsonb,
    start_time timestamp with time zone,
    end_time timestamp with time zone,
    event_type text,
    event_category text,
    event_version text,
    api_version text,
    aws_region text,
    recipient_account_id text,
    request_id text,
    shared_event_id text,
    management_event boolean,
    error_code text,
    error_message text,
    user_agent text,
    vpc_endpoint_id text,
    vpc_endpoint_account_id text,
    session_credential_from_console boolean,
    user_type text,
    user_arn text,
    principal_id text,
    user_account_id text,
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
    tls_details jsonb,
    edge_device_details jsonb,
    addendum jsonb,
    event_context jsonb,
    cloudtrail_event jsonb,
    message text,
    parse_error text
)
SERVER cloudtrail OPTIONS (table_name 'cloudtrail_event_history');

COMMENT ON FOREIGN TABLE @extschema@.cloudtrail_event_history
IS 'One row for every management event of the Region''s last 90 days; needs no trail.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_time
IS 'When the request was made.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_id
IS 'CloudTrail''s id of the event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_name
IS 'API action, such as RunInstances.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_source
IS 'Service that was asked, such as ec2.amazonaws.com.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.read_only
IS 'Whether the action only reads.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.username
IS 'User name, or name of a role''s session, as Event History has it.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.access_key_id
IS 'Access key that signed the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.resource_name
IS 'Resource to look up: resource_name = ''…''; else NULL.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.resource_type
IS 'Resource type to look up: resource_type = ''…''; else NULL.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_resources
IS 'All resources of the event, each with ResourceName and ResourceType.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.start_time
IS 'Earliest event_time: start_time = …; else NULL.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.end_time
IS 'Latest event_time: end_time = …; else NULL.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_type
IS 'AwsApiCall, AwsServiceEvent, AwsConsoleSignIn and their kin.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_category
IS 'Management, Data, NetworkActivity or Insight.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_version
IS 'Version of the record''s format.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.api_version
IS 'Version of the service''s API.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.aws_region
IS 'Region the request was made to.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.recipient_account_id
IS 'Account that received the event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.request_id
IS 'Id of the request, given by the service.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.shared_event_id
IS 'Id shared by the copies of one event in several accounts.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.management_event
IS 'Whether it is a management event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.error_code
IS 'AWS''s error code when the request failed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.error_message
IS 'Description of the error.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.user_agent
IS 'Agent through which the request was made.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.vpc_endpoint_id
IS 'VPC endpoint the request came through.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.vpc_endpoint_account_id
IS 'Account that owns the VPC endpoint.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.session_credential_from_console
IS 'Whether the credentials came from a console session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.user_type
IS 'Kind of identity, such as IAMUser or AssumedRole.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.user_arn
IS 'ARN of the principal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.principal_id
IS 'Unique id of the principal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.user_account_id
IS 'Account of the principal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.invoked_by
IS 'AWS service that made the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.invoked_by_delegate
IS 'Account that invoked the request on behalf of the caller.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.identity_provider
IS 'External identity provider.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.federated_provider
IS 'Provider of a web identity session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.on_behalf_of_user_id
IS 'IAM Identity Center user the call was made for.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.credential_id
IS 'Credential of an IAM Identity Center user.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.source_identity
IS 'Source identity set when the role was assumed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.in_scope_of
IS 'Source account and ARN a service''s credentials were issued for.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.role_session_name
IS 'Session name given when the role was assumed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.session_issuer_type
IS 'Kind of what issued the session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.session_issuer_arn
IS 'ARN of the role or user that issued the session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.session_issuer_name
IS 'Name of the role or user that issued the session.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.session_creation_date
IS 'When the session''s credentials were issued.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.mfa_authenticated
IS 'Whether the session was authenticated with MFA.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.ec2_role_delivery
IS 'Version of the instance metadata service that gave the credentials.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.assumed_root
IS 'Whether the session came from AssumeRoot.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.user_identifier
IS 'First of user_arn, session_issuer_arn and principal_id that is there.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.source_ip_address
IS 'Where the request came from, as written: an address, a service name or AWS Internal.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.source_ip
IS 'source_ip_address when it is one address.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.source_address_class
IS 'Class of source_ip_address, as in ip_enrichment.address_class.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.user_identity
IS 'userIdentity as recorded.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.request_parameters
IS 'Parameters of the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.response_elements
IS 'Elements of the response, for actions that change something.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.additional_event_data
IS 'Data that is part of neither request nor response.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.service_event_details
IS 'What set off a service event, and its result.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.resources
IS 'Resources accessed.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.tls_details
IS 'TLS version, cipher suite and host of the request.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.edge_device_details
IS 'Edge device the request was made to.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.addendum
IS 'Why an event was delivered late or replaced.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.event_context
IS 'Tags and condition keys added to the event.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.cloudtrail_event
IS 'The whole record.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.message
IS 'The log event''s text, byte for byte.';
COMMENT ON COLUMN @extschema@.cloudtrail_event_history.parse_error
IS 'What in the message could not be read; NULL when all could.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudwatch_log_group (
    name text,
    arn text,
    log_group_arn text,
    log_group_class text,
    creation_time timestamp with time zone,
    retention_in_days integer,
    stored_bytes bigint,
    metric_filter_count integer,
    kms_key_id text,
    data_protection_status text,
    region text,
    account_id text
)
SERVER cloudtrail OPTIONS (table_name 'cloudwatch_log_group');

COMMENT ON FOREIGN TABLE @extschema@.cloudwatch_log_group
IS 'One row for every CloudWatch Logs log group of the account and Region.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.name
IS 'Name of the log group.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.arn
IS 'ARN of the group and all its streams: it ends in :*.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.log_group_arn
IS 'ARN of the group itself, without :*.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.log_group_class
IS 'STANDARD, INFREQUENT_ACCESS or DELIVERY; only STANDARD can be read here.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.creation_time
IS 'When it was created.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.retention_in_days
IS 'Days for which events are kept; NULL is for ever.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.stored_bytes
IS 'Bytes stored.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.metric_filter_count
IS 'Number of metric filters.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.kms_key_id
IS 'ARN of the key that encrypts it.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.data_protection_status
IS 'ACTIVATED, DISABLED, ARCHIVED or DELETED; NULL where it never had a policy.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.region
IS 'Region of the group.';
COMMENT ON COLUMN @extschema@.cloudwatch_log_group.account_id
IS 'Account that owns the group.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.ipstack_ip (
    ip text,
    address inet,
    status text,
    status_detail text,
    fetched_at timestamp with time zone,
    hostname text,
    type text,
    continent_code text,
    continent_name text,
    country_code text,
    country_name text,
    region_code text,
    region_name text,
    city text,
    zip text,
    latitude double precision,
    longitude double precision,
    msa text,
    dma text,
    radius double precision,
    ip_routing_type text,
    connection_type text,
    location_geoname_id bigint,
    location_capital text,
    location_languages jsonb,
    location_country_flag_link text,
    location_country_flag_emoji text,
    location_country_flag_emoji_unicode text,
    location_calling_code text,
    location_is_eu boolean,
    timezone_id text,
    timezone_current_time timestamp with time zone,
    timezone_gmt_offset bigint,
    timezone_code text,
    timezone_is_daylight_saving boolean,
    currency_code text,
    currency_name text,
    currency_plural text,
    currency_symbol text,
    currency_symbol_native text,
    asn bigint,
    isp text,
    is_proxy boolean,
    proxy_type text,
    is_crawler boolean,
    crawler_name text,
    crawler_type text,
    is_tor boolean,
    threat_level text,
    threat_types jsonb
)
SERVER cloudtrail OPTIONS (table_name 'ipstack_ip');

COMMENT ON FOREIGN TABLE @extschema@.ipstack_ip
IS 'Where an address is and who provides it, by the ipstack API.';
COMMENT ON COLUMN @extschema@.ipstack_ip.ip
IS 'The value asked for, exactly as given; any text.';
COMMENT ON COLUMN @extschema@.ipstack_ip.address
IS 'The address that was asked about; of an IPv4-mapped or 6to4 address, the IPv4 address inside.';
COMMENT ON COLUMN @extschema@.ipstack_ip.status
IS 'found; none (the source knows nothing); not_sent (no public address); network_off; with remote_errors = status also quota, throttled or unavailable.';
COMMENT ON COLUMN @extschema@.ipstack_ip.status_detail
IS 'Why there is no answer, in words.';
COMMENT ON COLUMN @extschema@.ipstack_ip.fetched_at
IS 'When the source gave the answer.';
COMMENT ON COLUMN @extschema@.ipstack_ip.hostname
IS 'Host name by ipstack''s own look-up; asked for when wanted.';
COMMENT ON COLUMN @extschema@.ipstack_ip.type
IS 'ipv4 or ipv6.';
COMMENT ON COLUMN @extschema@.ipstack_ip.continent_code
IS 'Continent, two letters.';
COMMENT ON COLUMN @extschema@.ipstack_ip.continent_name
IS 'Continent.';
COMMENT ON COLUMN @extschema@.ipstack_ip.country_code
IS 'Country, two letters.';
COMMENT ON COLUMN @extschema@.ipstack_ip.country_name
IS 'Country.';
COMMENT ON COLUMN @extschema@.ipstack_ip.region_code
IS 'State or province, as CA for California.';
COMMENT ON COLUMN @extschema@.ipstack_ip.region_name
IS 'State or province.';
COMMENT ON COLUMN @extschema@.ipstack_ip.city
IS 'City.';
COMMENT ON COLUMN @extschema@.ipstack_ip.zip
IS 'Postal code.';
COMMENT ON COLUMN @extschema@.ipstack_ip.latitude
IS 'Degrees north.';
COMMENT ON COLUMN @extschema@.ipstack_ip.longitude
IS 'Degrees east.';
COMMENT ON COLUMN @extschema@.ipstack_ip.msa
IS 'Metropolitan statistical area, of the USA.';
COMMENT ON COLUMN @extschema@.ipstack_ip.dma
IS 'Designated market area, of the USA.';
COMMENT ON COLUMN @extschema@.ipstack_ip.radius
IS 'Radius around the coordinates.';
COMMENT ON COLUMN @extschema@.ipstack_ip.ip_routing_type
IS 'How the address is routed, as fixed or mobile gateway.';
COMMENT ON COLUMN @extschema@.ipstack_ip.connection_type
IS 'Kind of line, as cable or dsl.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_geoname_id
IS 'Place in the GeoNames registry.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_capital
IS 'Capital of the country.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_languages
IS 'Languages of the country: code, name, native.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_country_flag_link
IS 'URL of the flag.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_country_flag_emoji
IS 'The flag as an emoji.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_country_flag_emoji_unicode
IS 'Code points of the emoji.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_calling_code
IS 'Telephone prefix of the country.';
COMMENT ON COLUMN @extschema@.ipstack_ip.location_is_eu
IS 'Whether the country is in the European Union.';
COMMENT ON COLUMN @extschema@.ipstack_ip.timezone_id
IS 'IANA time zone.';
COMMENT ON COLUMN @extschema@.ipstack_ip.timezone_current_time
IS 'The time at the look-up, as ipstack saw it.';
COMMENT ON COLUMN @extschema@.ipstack_ip.timezone_gmt_offset
IS 'Seconds east of UTC, at the look-up.';
COMMENT ON COLUMN @extschema@.ipstack_ip.timezone_code
IS 'Abbreviation of the time zone.';
COMMENT ON COLUMN @extschema@.ipstack_ip.timezone_is_daylight_saving
IS 'Whether it was daylight saving time.';
COMMENT ON COLUMN @extschema@.ipstack_ip.currency_code
IS 'Currency, three letters.';
COMMENT ON COLUMN @extschema@.ipstack_ip.currency_name
IS 'Currency.';
COMMENT ON COLUMN @extschema@.ipstack_ip.currency_plural
IS 'Currency, in the plural.';
COMMENT ON COLUMN @extschema@.ipstack_ip.currency_symbol
IS 'Symbol of the currency.';
COMMENT ON COLUMN @extschema@.ipstack_ip.currency_symbol_native
IS 'Symbol in the country itself.';
COMMENT ON COLUMN @extschema@.ipstack_ip.asn
IS 'Number of the autonomous system.';
COMMENT ON COLUMN @extschema@.ipstack_ip.isp
IS 'Internet provider.';
COMMENT ON COLUMN @extschema@.ipstack_ip.is_proxy
IS 'Whether it is a proxy; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.proxy_type
IS 'Kind of proxy; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.is_crawler
IS 'Whether it is a crawler; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.crawler_name
IS 'Name of the crawler; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.crawler_type
IS 'Kind of crawler; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.is_tor
IS 'Whether it belongs to Tor; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.threat_level
IS 'low, medium or high; with ipstack_security.';
COMMENT ON COLUMN @extschema@.ipstack_ip.threat_types
IS 'Kinds of threat; with ipstack_security.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.abuseipdb_check (
    ip text,
    address inet,
    status text,
    status_detail text,
    fetched_at timestamp with time zone,
    abuse_confidence_score bigint,
    total_reports bigint,
    num_distinct_users bigint,
    last_reported_at timestamp with time zone,
    max_age_in_days bigint,
    ip_version bigint,
    is_public boolean,
    is_whitelisted boolean,
    is_tor boolean,
    country_code text,
    country_name text,
    usage_type text,
    isp text,
    domain text,
    hostnames jsonb,
    reports jsonb
)
SERVER cloudtrail OPTIONS (table_name 'abuseipdb_check');

COMMENT ON FOREIGN TABLE @extschema@.abuseipdb_check
IS 'Reports of abuse of an address, by the AbuseIPDB API.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.ip
IS 'The value asked for, exactly as given; any text.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.address
IS 'The address that was asked about; of an IPv4-mapped or 6to4 address, the IPv4 address inside.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.status
IS 'found; none (the source knows nothing); not_sent (no public address); network_off; with remote_errors = status also quota, throttled or unavailable.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.status_detail
IS 'Why there is no answer, in words.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.fetched_at
IS 'When the source gave the answer.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.abuse_confidence_score
IS 'How sure AbuseIPDB is that the address abuses, 0 to 100.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.total_reports
IS 'Reports of the last max_age_in_days days.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.num_distinct_users
IS 'How many users reported it.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.last_reported_at
IS 'The last report.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.max_age_in_days
IS 'Days of reports that are counted: what the query gives, else abuseipdb_max_age_days.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.ip_version
IS '4 or 6.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.is_public
IS 'Whether the address is public.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.is_whitelisted
IS 'Whether it is on one of AbuseIPDB''s lists of the trusted.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.is_tor
IS 'Whether it is an exit of Tor.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.country_code
IS 'Country, two letters.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.country_name
IS 'Country; asked for when wanted.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.usage_type
IS 'What the address is used for, as Data Center/Web Hosting/Transit.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.isp
IS 'Internet provider.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.domain
IS 'Domain of the provider.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.hostnames
IS 'Host names, an array.';
COMMENT ON COLUMN @extschema@.abuseipdb_check.reports
IS 'The single reports, 10,000 at most; asked for when wanted.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.shodan_host (
    ip text,
    address inet,
    status text,
    status_detail text,
    fetched_at timestamp with time zone,
    asn text,
    hostnames jsonb,
    domains jsonb,
    isp text,
    org text,
    os text,
    last_update timestamp with time zone,
    ports jsonb,
    tags jsonb,
    vulns jsonb,
    area_code bigint,
    city text,
    country_code text,
    country_code_3 text,
    country_name text,
    dma_code bigint,
    latitude double precision,
    longitude double precision,
    postal_code text,
    region_code text,
    data jsonb
)
SERVER cloudtrail OPTIONS (table_name 'shodan_host');

COMMENT ON FOREIGN TABLE @extschema@.shodan_host
IS 'Ports, names and vulnerabilities of a host, by the Shodan API.';
COMMENT ON COLUMN @extschema@.shodan_host.ip
IS 'The value asked for, exactly as given; any text.';
COMMENT ON COLUMN @extschema@.shodan_host.address
IS 'The address that was asked about; of an IPv4-mapped or 6to4 address, the IPv4 address inside.';
COMMENT ON COLUMN @extschema@.shodan_host.status
IS 'found; none (the source knows nothing); not_sent (no public address); network_off; with remote_errors = status also quota, throttled or unavailable.';
COMMENT ON COLUMN @extschema@.shodan_host.status_detail
IS 'Why there is no answer, in words.';
COMMENT ON COLUMN @extschema@.shodan_host.fetched_at
IS 'When the source gave the answer.';
COMMENT ON COLUMN @extschema@.shodan_host.asn
IS 'Autonomous system, as AS15169.';
COMMENT ON COLUMN @extschema@.shodan_host.hostnames
IS 'Host names, an array.';
COMMENT ON COLUMN @extschema@.shodan_host.domains
IS 'Domains of the host names, an array.';
COMMENT ON COLUMN @extschema@.shodan_host.isp
IS 'Internet provider.';
COMMENT ON COLUMN @extschema@.shodan_host.org
IS 'Organization that has the address.';
COMMENT ON COLUMN @extschema@.shodan_host.os
IS 'Operating system.';
COMMENT ON COLUMN @extschema@.shodan_host.last_update
IS 'When Shodan last saw the host.';
COMMENT ON COLUMN @extschema@.shodan_host.ports
IS 'Open ports, an array.';
COMMENT ON COLUMN @extschema@.shodan_host.tags
IS 'What Shodan calls the host, as cloud or vpn, an array.';
COMMENT ON COLUMN @extschema@.shodan_host.vulns
IS 'Vulnerabilities, mostly guessed from versions, as CVE numbers.';
COMMENT ON COLUMN @extschema@.shodan_host.area_code
IS 'Telephone area, of the USA.';
COMMENT ON COLUMN @extschema@.shodan_host.city
IS 'City.';
COMMENT ON COLUMN @extschema@.shodan_host.country_code
IS 'Country, two letters.';
COMMENT ON COLUMN @extschema@.shodan_host.country_code_3
IS 'Country, three letters.';
COMMENT ON COLUMN @extschema@.shodan_host.country_name
IS 'Country.';
COMMENT ON COLUMN @extschema@.shodan_host.dma_code
IS 'Designated market area, of the USA.';
COMMENT ON COLUMN @extschema@.shodan_host.latitude
IS 'Degrees north.';
COMMENT ON COLUMN @extschema@.shodan_host.longitude
IS 'Degrees east.';
COMMENT ON COLUMN @extschema@.shodan_host.postal_code
IS 'Postal code.';
COMMENT ON COLUMN @extschema@.shodan_host.region_code
IS 'State or province.';
COMMENT ON COLUMN @extschema@.shodan_host.data
IS 'The services with their banners, an array; asked for when wanted.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudtrail_fdw_stat (
    started_at timestamp with time zone,
    table_name text,
    log_group text,
    calls bigint,
    events bigint,
    bytes bigint,
    cache_events bigint,
    throttles bigint,
    retries bigint,
    seconds double precision,
    worker_pid integer,
    worker_seconds double precision,
    worker_bytes bigint
)
SERVER cloudtrail OPTIONS (table_name 'cloudtrail_fdw_stat');

COMMENT ON FOREIGN TABLE @extschema@.cloudtrail_fdw_stat
IS 'One row for each of the last scans of this session: what it cost.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.started_at
IS 'When the scan began.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.table_name
IS 'Table that was read.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.log_group
IS 'Log groups that were read.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.calls
IS 'Calls that were answered with rows or their absence.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.events
IS 'Log events, or what the table has instead, that came from there.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.bytes
IS 'Bytes of the answers.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.cache_events
IS 'Log events that came from the cache.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.throttles
IS 'Calls that were throttled, and made again.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.retries
IS 'Calls that failed otherwise.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.seconds
IS 'How long the scan took, the reader''s pauses included.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.worker_pid
IS 'The session''s Python process; NULL where Python runs in the backend.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.worker_seconds
IS 'Processor time that it has used since its start.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_stat.worker_bytes
IS 'The most memory that it has had, what it shares included.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudtrail_fdw_cache (
    log_group text,
    filter_pattern text,
    interval_start timestamp with time zone,
    interval_end timestamp with time zone,
    events bigint,
    bytes bigint,
    fetched_at timestamp with time zone
)
SERVER cloudtrail OPTIONS (table_name 'cloudtrail_fdw_cache');

COMMENT ON FOREIGN TABLE @extschema@.cloudtrail_fdw_cache
IS 'One row for each piece of time whose log events are kept on disk.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.log_group
IS 'ARN of the log group.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.filter_pattern
IS 'Filter pattern the events were asked by, empty for all.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.interval_start
IS 'First time of delivery the piece knows of.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.interval_end
IS 'Time of delivery up to which it knows of events.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.events
IS 'Log events in it.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.bytes
IS 'Bytes of their messages.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache.fetched_at
IS 'When they were asked for.';

CREATE FOREIGN TABLE IF NOT EXISTS @extschema@.cloudtrail_fdw_cache_removal (
    action text,
    pieces bigint
)
SERVER cloudtrail OPTIONS (table_name 'cloudtrail_fdw_cache_removal');

COMMENT ON FOREIGN TABLE @extschema@.cloudtrail_fdw_cache_removal
IS 'Empties the cache: cloudtrail_fdw_cache_clear() reads it.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache_removal.action
IS 'Must be clear.';
COMMENT ON COLUMN @extschema@.cloudtrail_fdw_cache_removal.pieces
IS 'Pieces of time that were removed.';
