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
