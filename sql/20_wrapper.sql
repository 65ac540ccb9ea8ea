-- The foreign data wrapper: our handler where the extension cloudtrail_fdw has brought it, else
-- Multicorn's, behind our validator.
-- Nobody is granted USAGE on it: creating servers is a superuser's business.
DO $wrapper$
DECLARE
    handler CONSTANT text := coalesce(
        pg_catalog.to_regproc('@extschema@.cloudtrail_fdw_handler')::text,
        (
            SELECT pg_catalog.format('%I.%I', n.nspname, p.proname)
            FROM pg_catalog.pg_proc p
            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            JOIN pg_catalog.pg_depend d
                ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
            JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
            WHERE e.extname = 'multicorn' AND p.proname = 'multicorn_handler'
        )
    );
BEGIN
    IF handler IS NULL THEN
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
