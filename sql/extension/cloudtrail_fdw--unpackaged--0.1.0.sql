\echo Use "CREATE EXTENSION cloudtrail_fdw" to load this file. \quit

ALTER EXTENSION cloudtrail_fdw ADD FUNCTION @extschema@.cloudtrail_fdw_validator(text[], oid);
ALTER EXTENSION cloudtrail_fdw ADD FOREIGN DATA WRAPPER cloudtrail_fdw;
ALTER EXTENSION cloudtrail_fdw ADD FUNCTION @extschema@.try_inet(text);
ALTER EXTENSION cloudtrail_fdw ADD FUNCTION @extschema@.try_jsonb(text);

-- cloudtrail_fdw_validator: which OPTIONS may stand where, and with which values.
--
-- Multicorn's own validator lets anyone with USAGE on a server put any Python class or any
-- option into a user mapping of their own. This one allows the lists below and nothing else.
-- PostgreSQL calls it with all options that an object will have after CREATE or ALTER.
-- No message repeats a value: it may be a secret.
CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_fdw_validator(options text[], catalog oid)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
AS $validator$
DECLARE
    -- generated:options
    allowed CONSTANT jsonb := CASE catalog
        -- foreign data wrapper
        WHEN 2328 THEN '{
            "python": "path",
            "max_workers": "integer",
            "idle_seconds": "integer"
        }'
        -- server
        WHEN 1417 THEN '{
            "wrapper": "wrapper",
            "region": "text",
            "profile": "text",
            "role_arn": "text",
            "external_id": "text",
            "role_session_name": "text",
            "endpoint_url": "url",
            "use_fips": "boolean",
            "use_dualstack": "boolean",
            "log_group": "text",
            "delivery_lag": "interval",
            "clock_skew": "interval",
            "max_calls": "integer",
            "max_bytes": "integer",
            "max_seconds": "interval",
            "max_tps": "integer",
            "late_sweep": "boolean",
            "cache": "on|off|wide",
            "cache_directory": "path",
            "cache_size": "integer",
            "cache_settle": "interval",
            "cache_max_age": "interval",
            "geo_database": "path",
            "asn_database": "path",
            "ip_ranges": "path",
            "dns_servers": "text",
            "dns_timeout": "interval",
            "network_enrichment": "boolean",
            "ipstack_url": "url",
            "abuseipdb_url": "url",
            "shodan_url": "url",
            "ipstack_keep": "interval",
            "abuseipdb_keep": "interval",
            "shodan_keep": "interval",
            "ipstack_security": "boolean",
            "abuseipdb_max_age_days": "integer",
            "max_lookups": "integer",
            "remote_timeout": "interval",
            "remote_errors": "error|status"
        }'
        -- foreign table
        WHEN 3118 THEN '{
            "table_name": "table_name",
            "log_group": "text",
            "delivery_lag": "interval",
            "clock_skew": "interval",
            "max_calls": "integer",
            "max_bytes": "integer",
            "max_seconds": "interval",
            "late_sweep": "boolean",
            "cache": "on|off|wide",
            "cache_settle": "interval",
            "cache_max_age": "interval"
        }'
        -- user mapping
        WHEN 1418 THEN '{
            "aws_access_key_id": "secret",
            "aws_secret_access_key": "secret",
            "aws_session_token": "secret",
            "ipstack_key": "secret",
            "abuseipdb_key": "secret",
            "shodan_key": "secret"
        }'
        ELSE '{}' END;
    secrets CONSTANT text[] := ARRAY['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'ipstack_key', 'abuseipdb_key', 'shodan_key'];
    tables CONSTANT text[] := ARRAY['cloudtrail_event', 'ip_enrichment', 'aws_ip_range', 'cloudtrail_trail', 'cloudtrail_event_history', 'cloudwatch_log_group', 'ipstack_ip', 'abuseipdb_check', 'shodan_host', 'cloudtrail_fdw_stat', 'cloudtrail_fdw_cache', 'cloudtrail_fdw_cache_removal'];
    -- /generated
    place CONSTANT text := CASE catalog
        WHEN 1417 THEN 'a server'
        WHEN 1418 THEN 'a user mapping'
        WHEN 3118 THEN 'a foreign table'
        WHEN 1249 THEN 'a column'
        ELSE 'a foreign data wrapper' END;
    required CONSTANT text := CASE
        WHEN catalog = 3118 THEN 'table_name'
        -- Multicorn asks for its class by this name
        WHEN catalog = 1417 AND NOT EXISTS (
            SELECT FROM pg_foreign_data_wrapper w JOIN pg_proc p ON p.oid = w.fdwhandler
            WHERE w.fdwname = 'cloudtrail_fdw' AND p.proname = 'cloudtrail_fdw_worker_handler'
        ) THEN 'wrapper' END;
    loopback CONSTANT text := '(127\.0\.0\.1|localhost|\[::1\])';
    host CONSTANT text := '([a-z0-9._-]+|\[[0-9a-f:]+\])';
    given text[] := '{}';
    option text;
    name text;
    value text;
    kind text;
    wanted text;
BEGIN
    FOREACH option IN ARRAY options LOOP
        name := split_part(option, '=', 1);
        value := substr(option, strpos(option, '=') + 1);
        kind := allowed ->> name;
        given := given || name;
        IF kind IS NULL THEN
            RAISE EXCEPTION 'option "%" is not allowed on %', name, place USING
                ERRCODE = 'fdw_invalid_option_name',
                HINT = CASE
                    WHEN name = ANY (secrets)
                    THEN 'A secret belongs in a user mapping, which others cannot read.'
                    WHEN allowed = '{}' THEN 'There are no options here.'
                    ELSE 'Allowed here: ' || (
                        SELECT string_agg(key, ', ' ORDER BY key) FROM jsonb_object_keys(allowed) AS key
                    ) || '.' END;
        END IF;
        wanted := CASE
            WHEN kind = 'wrapper' AND value <> 'cloudtrail_fdw.wrapper.CloudTrailFdw'
            THEN 'the value is always cloudtrail_fdw.wrapper.CloudTrailFdw'
            WHEN kind = 'table_name' AND value <> ALL (tables)
            THEN 'the tables are ' || array_to_string(tables, ', ')
            WHEN kind = 'boolean' AND lower(value) NOT IN ('on', 'true', 'yes', '1', 'off', 'false', 'no', '0')
            THEN 'give on or off'
            WHEN kind = 'integer' AND value !~ '^(?!0+$)[0-9]{1,18}$'
            THEN 'give a whole number above 0'
            WHEN kind LIKE '%|%' AND lower(value) <> ALL (string_to_array(kind, '|'))
            THEN 'give ' || replace(kind, '|', ' or ')
            WHEN kind = 'interval'
                AND value !~* '^([0-9]+([.][0-9]+)? *(ms|s|(sec|second|min|minute|h|hour|d|day)s?)? *)+$'
            THEN 'give an interval such as ''90 s'' or ''1 hour'''
            WHEN kind = 'path' AND value !~ '^(/.*)?$'
            THEN 'give an absolute path of the database server'
            WHEN kind = 'url' AND value <> ''
                AND value !~* ('^(https://' || host || '|http://' || loopback || ')(:[0-9]{1,5})?(/[^?#[:space:]]*)?$')
            THEN 'give an https URL, or http on the loopback address, without user and password'
            WHEN kind = 'secret' AND value !~ '^[!-~]+$'
            THEN 'give printable ASCII without spaces'
            END;
        IF wanted IS NOT NULL THEN
            RAISE EXCEPTION 'invalid value for option "%": %', name, wanted USING
                ERRCODE = 'fdw_invalid_attribute_value';
        END IF;
    END LOOP;

    IF required IS NOT NULL AND required <> ALL (given) THEN
        RAISE EXCEPTION 'option "%" is missing', required USING
            ERRCODE = 'fdw_option_name_not_found',
            HINT = CASE required
                WHEN 'wrapper' THEN 'Add OPTIONS (wrapper ''cloudtrail_fdw.wrapper.CloudTrailFdw'').'
                ELSE 'Add OPTIONS (table_name ''…'') with one of ' || array_to_string(tables, ', ') || '.' END;
    END IF;

    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    -- A server's options name endpoints, files and roles that the server's own identity reaches.
    ELSIF catalog = 1417 THEN
        RAISE EXCEPTION 'only a superuser may create or change a server of cloudtrail_fdw' USING
            ERRCODE = 'insufficient_privilege',
            HINT = 'Its options decide which files, roles and endpoints the database server uses.';
    -- Who reads a table of this name empties the cache of everybody.
    ELSIF catalog = 3118 AND 'table_name=cloudtrail_fdw_cache_removal' = ANY (options) THEN
        RAISE EXCEPTION 'only a superuser may create or change a table that empties the cache' USING
            ERRCODE = 'insufficient_privilege',
            HINT = 'GRANT EXECUTE ON FUNCTION cloudtrail_fdw_cache_clear() to whom you trust with it.';
    END IF;
END
$validator$;

COMMENT ON FUNCTION @extschema@.cloudtrail_fdw_validator(text[], oid)
IS 'Allows the options of cloudtrail_fdw where they belong, and no others.';

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_fdw_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;

COMMENT ON FUNCTION @extschema@.cloudtrail_fdw_handler()
IS 'Multicorn''s handler, with what it misreads or cannot survive kept from it.';

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_fdw_worker_handler() RETURNS fdw_handler
AS 'MODULE_PATHNAME' LANGUAGE C STRICT;

COMMENT ON FUNCTION @extschema@.cloudtrail_fdw_worker_handler()
IS 'A handler that needs no Multicorn: Python runs in a process of its own beside each session.';

-- The foreign data wrapper, behind our validator: with the worker's handler where the setting
-- cloudtrail_fdw.host says so, or nothing does and the server has no Multicorn; else with our handler around
-- Multicorn's where the extension cloudtrail_fdw has brought it, else with Multicorn's own.
-- Nobody is granted USAGE on it: creating servers is a superuser's business.
--
-- Multicorn's validator imports the Python module that its first argument names, as the server's
-- user, for whoever calls it. PostgreSQL itself calls both functions without asking for EXECUTE.
DO $wrapper$
DECLARE
    multicorn CONSTANT text := (
        SELECT pg_catalog.format('%I.%I', n.nspname, p.proname)
        FROM pg_catalog.pg_proc p
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_depend d
            ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE e.extname = 'multicorn' AND p.proname = 'multicorn_handler'
    );
    host CONSTANT text := coalesce(
        nullif(pg_catalog.current_setting('cloudtrail_fdw.host', true), ''),
        -- a dump that is restored may bring Multicorn later
        CASE WHEN EXISTS (
            SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'multicorn'
        ) THEN 'multicorn' ELSE 'worker' END
    );
    handler CONSTANT text := CASE host
        WHEN 'worker' THEN pg_catalog.to_regproc('@extschema@.cloudtrail_fdw_worker_handler')::text
        ELSE coalesce(pg_catalog.to_regproc('@extschema@.cloudtrail_fdw_handler')::text, multicorn)
    END;
    theirs pg_catalog.regprocedure;
BEGIN
    FOR theirs IN
        SELECT d.objid::pg_catalog.regprocedure
        FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        WHERE e.extname = 'multicorn' AND d.deptype = 'e'
            AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', theirs);
    END LOOP;
    REVOKE ALL ON FUNCTION @extschema@.cloudtrail_fdw_validator(text[], oid) FROM PUBLIC;
    IF pg_catalog.to_regproc('@extschema@.cloudtrail_fdw_handler') IS NOT NULL THEN
        REVOKE ALL ON FUNCTION @extschema@.cloudtrail_fdw_handler() FROM PUBLIC;
    END IF;
    IF pg_catalog.to_regproc('@extschema@.cloudtrail_fdw_worker_handler') IS NOT NULL THEN
        REVOKE ALL ON FUNCTION @extschema@.cloudtrail_fdw_worker_handler() FROM PUBLIC;
    END IF;

    IF handler IS NULL AND host = 'worker' THEN
        RAISE EXCEPTION 'extension cloudtrail_fdw is not installed in this database'
            USING HINT = 'cloudtrail-fdw install DSN';
    ELSIF handler IS NULL THEN
        RAISE EXCEPTION 'extension multicorn is not installed in this database'
            USING HINT = 'CREATE EXTENSION multicorn;';
    ELSIF NOT EXISTS (
        SELECT FROM pg_catalog.pg_foreign_data_wrapper WHERE fdwname = 'cloudtrail_fdw'
    ) THEN
        EXECUTE 'CREATE FOREIGN DATA WRAPPER cloudtrail_fdw HANDLER ' || handler
            || ' VALIDATOR @extschema@.cloudtrail_fdw_validator';
    ELSIF NOT EXISTS (
        SELECT FROM pg_catalog.pg_foreign_data_wrapper
        WHERE fdwname = 'cloudtrail_fdw'
            AND fdwhandler = handler::pg_catalog.regproc
            AND fdwvalidator = '@extschema@.cloudtrail_fdw_validator'::pg_catalog.regproc
    ) THEN
        EXECUTE 'ALTER FOREIGN DATA WRAPPER cloudtrail_fdw HANDLER ' || handler
            || ' VALIDATOR @extschema@.cloudtrail_fdw_validator';
    END IF;
END
$wrapper$;

COMMENT ON FOREIGN DATA WRAPPER cloudtrail_fdw IS 'AWS CloudTrail events and where they come from';

-- Casts that give NULL instead of an error.
--
-- Not PARALLEL SAFE: an EXCEPTION block starts a subtransaction, which a parallel plan refuses.
CREATE OR REPLACE FUNCTION @extschema@.try_inet(value text)
RETURNS inet
LANGUAGE plpgsql IMMUTABLE STRICT
AS $try$
BEGIN
    RETURN value::pg_catalog.inet;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$try$;

COMMENT ON FUNCTION @extschema@.try_inet(text)
IS 'The text as an address or network, NULL when it is neither.';

-- jsonb also refuses \u0000, numbers outside numeric, and nesting deeper than the stack.
CREATE OR REPLACE FUNCTION @extschema@.try_jsonb(value text)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT
AS $try$
BEGIN
    RETURN value::pg_catalog.jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    RETURN NULL;
END
$try$;

COMMENT ON FUNCTION @extschema@.try_jsonb(text)
IS 'The text as jsonb, NULL when PostgreSQL cannot store it as such.';
