-- Emptying the cache of log events: for superusers, and for whom they grant EXECUTE.
CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_fdw_cache_clear()
RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $clear$
    SELECT pieces FROM @extschema@.cloudtrail_fdw_cache_removal WHERE action = 'clear'
$clear$;

COMMENT ON FUNCTION @extschema@.cloudtrail_fdw_cache_clear()
IS 'Removes all log events from the cache on disk; how many pieces of time there were.';

REVOKE ALL ON FUNCTION @extschema@.cloudtrail_fdw_cache_clear() FROM PUBLIC;
