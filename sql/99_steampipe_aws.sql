-- Steampipe's tables by name, column and type, over ours, so that its queries run as they are
-- (docs/steampipe.md). install makes the foreign tables <name>_by_address beforehand: a key is
-- inet there where the wrapper has our handler, else text.
--
-- A column that would take one more call a row is left out, so that a query for it fails and is
-- not misled by NULL; but tags, which hardly any query asks for without more, are NULL.
COMMENT ON SCHEMA steampipe IS 'Steampipe''s tables as views on those of cloudtrail_fdw.';

CREATE OR REPLACE VIEW steampipe.aws_cloudtrail_trail_event AS
SELECT
    e.filter,
    e.log_group_name,
    e.log_stream_name,
    e."timestamp",
    (pg_catalog.date_part('epoch', e."timestamp") * 1000)::bigint AS timestamp_ms,
    e.access_key_id,
    e.aws_region,
    e.error_code,
    e.error_message,
    e.event_category,
    e.event_id,
    e.event_name,
    e.event_source,
    e.event_time,
    e.event_type,
    e.event_version,
    e.read_only,
    e.recipient_account_id,
    e.request_id,
    e.shared_event_id,
    e.source_ip_address,
    e.user_agent,
    e.user_type,
    e.username,
    e.user_identifier,
    e.vpc_endpoint_id,
    e.additional_event_data,
    e.cloudtrail_event,
    e.request_parameters,
    e.response_elements,
    e.resources,
    e.tls_details,
    e.user_identity,
    CASE
        WHEN e.log_group_region LIKE 'cn-%' THEN 'aws-cn'
        WHEN e.log_group_region LIKE 'us-gov-%' THEN 'aws-us-gov'
        WHEN e.log_group_region IS NOT NULL THEN 'aws'
    END AS partition,
    e.log_group_region AS region,
    e.log_group_account_id AS account_id,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx
FROM @extschema@.cloudtrail_event e;

COMMENT ON VIEW steampipe.aws_cloudtrail_trail_event
IS 'cloudtrail_event with Steampipe''s columns; log_group_name may be left out.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_trail_event.account_id
IS 'Account of the log group; asking for it may take a call of STS.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_trail_event.user_identity
IS 'As recorded: what Steampipe shows as an empty string is not there.';

CREATE OR REPLACE VIEW steampipe.aws_cloudtrail_trail AS
SELECT
    t.name,
    t.arn,
    t.home_region,
    t.is_multi_region_trail,
    t.log_file_validation_enabled,
    t.is_logging,
    t.log_group_arn,
    t.cloudwatch_logs_role_arn,
    t.has_custom_event_selectors,
    t.has_insight_selectors,
    t.include_global_service_events,
    t.is_organization_trail,
    t.kms_key_id,
    t.s3_bucket_name,
    t.s3_key_prefix,
    t.sns_topic_arn,
    t.latest_cloudwatch_logs_delivery_error,
    t.latest_cloudwatch_logs_delivery_time,
    t.latest_delivery_error,
    t.latest_delivery_time,
    t.latest_digest_delivery_error,
    t.latest_digest_delivery_time,
    t.latest_notification_error,
    t.latest_notification_time,
    t.start_logging_time,
    t.stop_logging_time,
    t.advanced_event_selectors,
    t.event_selectors,
    NULL::jsonb AS tags_src,
    NULL::jsonb AS tags,
    pg_catalog.jsonb_build_array(t.arn) AS akas,
    t.name AS title,
    pg_catalog.split_part(t.arn, ':', 2) AS partition,
    t.home_region AS region,
    pg_catalog.split_part(t.arn, ':', 5) AS account_id,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx
FROM @extschema@.cloudtrail_trail t;

COMMENT ON VIEW steampipe.aws_cloudtrail_trail
IS 'cloudtrail_trail with Steampipe''s columns: each trail once, in its home Region.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_trail.region
IS 'Always home_region: shadow trails are not listed again.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_trail.account_id
IS 'Account that owns the trail.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_trail.tags
IS 'Always NULL, as tags_src: tags are not read.';

CREATE OR REPLACE VIEW steampipe.aws_cloudtrail_lookup_event AS
SELECT
    h.event_id,
    h.event_name,
    h.event_source,
    h.read_only::text AS read_only,
    h.access_key_id,
    h.end_time,
    h.start_time,
    h.event_time,
    h.resource_name,
    h.resource_type,
    h.username,
    h.event_resources AS resources,
    h.cloudtrail_event AS cloud_trail_event,
    h.event_name AS title,
    CASE
        WHEN h.aws_region LIKE 'cn-%' THEN 'aws-cn'
        WHEN h.aws_region LIKE 'us-gov-%' THEN 'aws-us-gov'
        WHEN h.aws_region IS NOT NULL THEN 'aws'
    END AS partition,
    h.aws_region AS region,
    h.recipient_account_id AS account_id,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx
FROM @extschema@.cloudtrail_event_history h;

COMMENT ON VIEW steampipe.aws_cloudtrail_lookup_event
IS 'cloudtrail_event_history with Steampipe''s columns.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_lookup_event.read_only
IS 'true or false, a text as in Steampipe; AWS is not asked by it.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_lookup_event.region
IS 'Region the request was made to.';

CREATE OR REPLACE VIEW steampipe.aws_cloudwatch_log_group AS
SELECT
    g.name,
    g.arn,
    g.log_group_arn,
    g.log_group_class,
    g.creation_time,
    g.kms_key_id,
    g.metric_filter_count::bigint AS metric_filter_count,
    g.retention_in_days::bigint AS retention_in_days,
    g.stored_bytes,
    g.data_protection_status,
    g.name AS title,
    NULL::jsonb AS tags,
    pg_catalog.jsonb_build_array(g.arn) AS akas,
    pg_catalog.split_part(g.arn, ':', 2) AS partition,
    g.region,
    g.account_id,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx
FROM @extschema@.cloudwatch_log_group g;

COMMENT ON VIEW steampipe.aws_cloudwatch_log_group
IS 'cloudwatch_log_group with Steampipe''s columns.';
COMMENT ON COLUMN steampipe.aws_cloudwatch_log_group.tags
IS 'Always NULL: tags are not read.';

GRANT USAGE ON SCHEMA steampipe TO @reader@;
GRANT SELECT ON steampipe.aws_cloudtrail_trail_event TO @reader@;
GRANT SELECT ON steampipe.aws_cloudtrail_trail TO @reader@;
GRANT SELECT ON steampipe.aws_cloudtrail_lookup_event TO @reader@;
GRANT SELECT ON steampipe.aws_cloudwatch_log_group TO @reader@;
