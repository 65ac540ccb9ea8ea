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
IS 'cloudtrail_event_history with Steampipe''s columns, but start_time and end_time.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_lookup_event.read_only
IS 'true or false, a text as in Steampipe; AWS is not asked by it.';
COMMENT ON COLUMN steampipe.aws_cloudtrail_lookup_event.region
IS 'Region the request was made to.';

CREATE OR REPLACE VIEW steampipe.net_dns_reverse AS
SELECT
    i.ip AS ip_address,
    CASE
        WHEN i.reverse_dns_status = 'none' THEN '[]'::jsonb
        -- with the dot at the end, as Go's resolver gives them
        ELSE (
            SELECT pg_catalog.jsonb_agg(n.name || '.' ORDER BY n.name)
            FROM pg_catalog.unnest(i.reverse_dns_names) AS n (name)
        )
    END AS domains,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx,
    i.reverse_dns_status AS status
FROM steampipe.ip_enrichment_by_address i;

COMMENT ON VIEW steampipe.net_dns_reverse
IS 'Names by reverse DNS; a row for every address, also for one without a name.';
COMMENT ON COLUMN steampipe.net_dns_reverse.domains
IS 'Array of names, empty if there are none, NULL if that is not known.';
COMMENT ON COLUMN steampipe.net_dns_reverse.status
IS 'Not Steampipe''s: why there are no names, as in ip_enrichment.reverse_dns_status.';

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

-- Answered from the offline database, unless the user mapping has an ipstack key: then ipstack is
-- asked, and only then.
CREATE OR REPLACE VIEW steampipe.ipstack_ip AS
SELECT
    i.ip,
    a.hostname,
    CASE WHEN a.ip IS NULL THEN 'ipv' || i.ip_version ELSE a.type END AS type,
    CASE WHEN a.ip IS NULL THEN i.continent_code ELSE a.continent_code END AS continent_code,
    CASE WHEN a.ip IS NULL THEN i.continent_name ELSE a.continent_name END AS continent_name,
    CASE WHEN a.ip IS NULL THEN i.country_code ELSE a.country_code END AS country_code,
    CASE WHEN a.ip IS NULL THEN i.country_name ELSE a.country_name END AS country_name,
    CASE WHEN a.ip IS NULL THEN i.region_code ELSE a.region_code END AS region_code,
    CASE WHEN a.ip IS NULL THEN i.region_name ELSE a.region_name END AS region_name,
    CASE WHEN a.ip IS NULL THEN i.city ELSE a.city END AS city,
    CASE WHEN a.ip IS NULL THEN i.postal_code ELSE a.zip END AS zip,
    CASE WHEN a.ip IS NULL THEN i.latitude ELSE a.latitude END AS latitude,
    CASE WHEN a.ip IS NULL THEN i.longitude ELSE a.longitude END AS longitude,
    a.location_geoname_id,
    a.location_capital,
    a.location_languages,
    a.location_country_flag_link,
    CASE WHEN a.ip IS NULL THEN m.flag ELSE a.location_country_flag_emoji END AS location_country_flag_emoji,
    CASE WHEN a.ip IS NULL THEN m.flag_unicode ELSE a.location_country_flag_emoji_unicode END AS location_country_flag_emoji_unicode,
    a.location_calling_code,
    CASE WHEN a.ip IS NULL THEN m.is_eu ELSE a.location_is_eu END AS location_is_eu,
    CASE WHEN a.ip IS NULL THEN i.time_zone ELSE a.timezone_id END AS timezone_id,
    CASE WHEN a.ip IS NULL THEN m.now ELSE a.timezone_current_time END AS timezone_current_time,
    a.timezone_gmt_offset,
    a.timezone_code,
    a.timezone_is_daylight_saving,
    a.currency_code,
    a.currency_name,
    a.currency_plural,
    a.currency_symbol,
    a.currency_symbol_native,
    CASE WHEN a.ip IS NULL THEN i.asn ELSE a.asn END AS asn,
    CASE WHEN a.ip IS NULL THEN i.as_organization ELSE a.isp END AS isp,
    a.is_proxy,
    a.proxy_type,
    a.is_crawler,
    a.crawler_name,
    a.crawler_type,
    a.is_tor,
    a.threat_level,
    a.threat_types,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx,
    a.status
FROM steampipe.ip_enrichment_by_address i
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN i.time_zone IS NOT NULL THEN pg_catalog.now() END AS now,
        -- the 27 members since 2020
        i.country_code IN (
            'AT', 'BE', 'BG', 'CY', 'CZ', 'DE', 'DK', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'HU',
            'IE', 'IT', 'LT', 'LU', 'LV', 'MT', 'NL', 'PL', 'PT', 'RO', 'SE', 'SI', 'SK'
        ) AS is_eu,
        -- regional indicator symbols: A is U+1F1E6
        pg_catalog.translate(
            i.country_code,
            'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
            '🇦🇧🇨🇩🇪🇫🇬🇭🇮🇯🇰🇱🇲🇳🇴🇵🇶🇷🇸🇹🇺🇻🇼🇽🇾🇿'
        ) AS flag,
        'U+' || pg_catalog.upper(pg_catalog.to_hex(127397 + pg_catalog.ascii(i.country_code)))
            || ' U+' || pg_catalog.upper(pg_catalog.to_hex(
                127397 + pg_catalog.ascii(pg_catalog.substr(i.country_code, 2))
            )) AS flag_unicode
) m
LEFT JOIN LATERAL (
    SELECT k.*
    FROM steampipe.ipstack_ip_by_address k
    WHERE k.ip = i.ip
        AND (
            -- the mapping that this user's queries get: their own, else that of PUBLIC
            SELECT EXISTS (
                SELECT FROM pg_catalog.unnest(u.umoptions) AS o (entry)
                WHERE o.entry LIKE 'ipstack\_key=%'
            )
            FROM pg_catalog.pg_user_mapping u
            JOIN pg_catalog.pg_foreign_server s ON s.oid = u.umserver
            LEFT JOIN pg_catalog.pg_roles r ON r.oid = u.umuser
            WHERE s.srvname = 'cloudtrail' AND (u.umuser = 0 OR r.rolname = CURRENT_USER)
            ORDER BY u.umuser DESC
            LIMIT 1
        )
) a ON true;

COMMENT ON VIEW steampipe.ipstack_ip
IS 'Geolocation in ipstack''s columns: ipstack''s where the user mapping has a key, else offline.';
COMMENT ON COLUMN steampipe.ipstack_ip.status
IS 'Not Steampipe''s: as in ipstack_ip.status of our own; NULL of an answer from the offline database.';

CREATE OR REPLACE VIEW steampipe.abuseipdb_check_ip AS
SELECT
    a.ip AS ip_address,
    a.abuse_confidence_score,
    a.country_code,
    a.domain,
    a.ip_version,
    a.is_public,
    a.is_whitelisted,
    a.isp,
    a.last_reported_at,
    a.max_age_in_days,
    a.num_distinct_users,
    a.reports,
    a.total_reports,
    a.usage_type,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx,
    a.status
FROM steampipe.abuseipdb_check_by_address a;

COMMENT ON VIEW steampipe.abuseipdb_check_ip
IS 'abuseipdb_check with Steampipe''s columns.';
COMMENT ON COLUMN steampipe.abuseipdb_check_ip.status
IS 'Not Steampipe''s: whether there is an answer, as in abuseipdb_check.status.';
COMMENT ON COLUMN steampipe.abuseipdb_check_ip.max_age_in_days
IS 'Days of reports that were counted: the setting cloudtrail_fdw.abuseipdb_max_age_days.';

CREATE OR REPLACE VIEW steampipe.shodan_host AS
SELECT
    h.ip,
    h.asn,
    h.hostnames,
    h.isp,
    h.last_update,
    h.org,
    h.os,
    h.ports,
    h.tags,
    h.vulns,
    h.area_code,
    h.city,
    h.country_code,
    h.country_code_3,
    h.country_name,
    h.dma_code,
    h.latitude,
    h.longitude,
    h.postal_code,
    h.region_code,
    'cloudtrail'::text AS sp_connection_name,
    '{"connection_name": "cloudtrail"}'::jsonb AS sp_ctx,
    '{"connection_name": "cloudtrail"}'::jsonb AS _ctx,
    h.status
FROM steampipe.shodan_host_by_address h
-- as Steampipe: no row for what Shodan does not know
WHERE h.status NOT IN ('none', 'not_sent');

COMMENT ON VIEW steampipe.shodan_host
IS 'shodan_host with Steampipe''s columns: no row for an address that Shodan does not know.';
COMMENT ON COLUMN steampipe.shodan_host.status
IS 'Not Steampipe''s: whether there is an answer, as in shodan_host.status of our own.';

GRANT USAGE ON SCHEMA steampipe TO @reader@;
GRANT SELECT ON steampipe.aws_cloudtrail_trail_event TO @reader@;
GRANT SELECT ON steampipe.aws_cloudtrail_trail TO @reader@;
GRANT SELECT ON steampipe.net_dns_reverse TO @reader@;
GRANT SELECT ON steampipe.ipstack_ip TO @reader@;
GRANT SELECT ON steampipe.abuseipdb_check_ip TO @reader@;
GRANT SELECT ON steampipe.shodan_host TO @reader@;
GRANT SELECT ON steampipe.aws_cloudwatch_log_group TO @reader@;
GRANT SELECT ON steampipe.aws_cloudtrail_lookup_event TO @reader@;
