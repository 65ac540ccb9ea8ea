-- The role for analysts and dashboards: may read these tables and nothing else of ours.
-- It can log in once it has a password: ALTER ROLE @reader@ PASSWORD '…';
DO $reader$
DECLARE
    setting record;
BEGIN
    IF pg_catalog.to_regrole('@reader@') IS NULL THEN
        CREATE ROLE @reader@ LOGIN;
    END IF;

    -- Only where not yet set: what a DBA has changed stays.
    FOR setting IN
        SELECT name, value
        FROM (VALUES
            ('default_transaction_read_only', 'on'),
            ('statement_timeout', '''5min'''),
            -- compiling costs more than these plans gain
            ('jit', 'off'),
            -- a generic plan hides the values of its parameters from the wrapper
            ('plan_cache_mode', 'force_custom_plan'),
            -- Steampipe's queries run unchanged (docs/steampipe.md)
            ('search_path', 'steampipe, @extschema@, public')
        ) AS wanted (name, value)
        WHERE NOT EXISTS (
            SELECT
            FROM pg_catalog.pg_db_role_setting s
            CROSS JOIN pg_catalog.unnest(s.setconfig) AS config (entry)
            JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
            WHERE s.setrole = pg_catalog.to_regrole('@reader@')
                AND d.datname = pg_catalog.current_database()
                AND pg_catalog.split_part(config.entry, '=', 1) = wanted.name
        )
    LOOP
        EXECUTE 'ALTER ROLE @reader@ IN DATABASE ' || pg_catalog.quote_ident(pg_catalog.current_database())
            || ' SET ' || setting.name || ' = ' || setting.value;
    END LOOP;
END
$reader$;

GRANT USAGE ON SCHEMA @extschema@ TO @reader@;
-- generated:grants
GRANT SELECT ON @extschema@.cloudtrail_event TO @reader@;
GRANT SELECT ON @extschema@.ip_enrichment TO @reader@;
GRANT SELECT ON @extschema@.aws_ip_range TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_trail TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_event_history TO @reader@;
GRANT SELECT ON @extschema@.cloudwatch_log_group TO @reader@;
GRANT SELECT ON @extschema@.ipstack_ip TO @reader@;
GRANT SELECT ON @extschema@.abuseipdb_check TO @reader@;
GRANT SELECT ON @extschema@.shodan_host TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_fdw_stat TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_fdw_cache TO @reader@;
-- /generated
