-- Steampipe's tables on addresses, by name, column and type, over ours (docs/steampipe.md).
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
    FROM (
        SELECT i.ip
        WHERE (
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
        -- else PostgreSQL 16 asks ipstack first, and looks whether there is a key afterwards
        OFFSET 0
    ) asked
    JOIN steampipe.ipstack_ip_by_address k ON k.ip = asked.ip
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
IS 'Days of reports that are counted: what the query gives, else abuseipdb_max_age_days.';

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

GRANT SELECT ON steampipe.net_dns_reverse TO @reader@;
GRANT SELECT ON steampipe.ipstack_ip TO @reader@;
GRANT SELECT ON steampipe.abuseipdb_check_ip TO @reader@;
GRANT SELECT ON steampipe.shodan_host TO @reader@;
