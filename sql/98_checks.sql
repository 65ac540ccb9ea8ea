-- What `cloudtrail-fdw check` and the checks themselves stand on (docs/check_command.md).
--
-- The functions have no SET clause, so that PostgreSQL inlines them and their values reach AWS.

CREATE OR REPLACE FUNCTION @extschema@.check_since()
RETURNS timestamptz
LANGUAGE sql STABLE
AS $since$
SELECT COALESCE(
    NULLIF(pg_catalog.current_setting('cloudtrail_fdw.check_since', true), '')::timestamptz,
    pg_catalog.now() - interval '1 day'
)
$since$;

COMMENT ON FUNCTION @extschema@.check_since()
IS 'Since when checks look at deliveries: the setting cloudtrail_fdw.check_since, else a day ago.';

CREATE OR REPLACE FUNCTION @extschema@.check_until()
RETURNS timestamptz
LANGUAGE sql STABLE
AS $until$
SELECT COALESCE(
    NULLIF(pg_catalog.current_setting('cloudtrail_fdw.check_until', true), '')::timestamptz,
    'infinity'::timestamptz
)
$until$;

COMMENT ON FUNCTION @extschema@.check_until()
IS 'Until when, exclusive: the setting cloudtrail_fdw.check_until, else infinity.';

-- The two tables hold what people and runs wrote; install and uninstall leave their rows alone.
CREATE TABLE IF NOT EXISTS @extschema@.cloudtrail_check_run (
    name text PRIMARY KEY,
    delivered_until timestamptz NOT NULL CHECK (pg_catalog.isfinite(delivered_until)),
    finished_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    finished_by text NOT NULL DEFAULT CURRENT_USER,
    checks integer NOT NULL,
    findings integer NOT NULL
);

COMMENT ON TABLE @extschema@.cloudtrail_check_run
IS 'The watermarks of cloudtrail-fdw check --since-last-run, one for each set of checks.';
COMMENT ON COLUMN @extschema@.cloudtrail_check_run.name
IS 'Which checks: the paths and the severity of the command, or its --watermark.';
COMMENT ON COLUMN @extschema@.cloudtrail_check_run.delivered_until
IS 'Deliveries before this are done; the next run begins here.';

CREATE TABLE IF NOT EXISTS @extschema@.cloudtrail_check_suppression (
    check_id text NOT NULL,
    -- a backslash at the end would make LIKE fail
    resource text NOT NULL DEFAULT '%' CHECK (resource !~ '(^|[^\\])(\\\\)*\\$'),
    dimensions jsonb NOT NULL DEFAULT '{}' CHECK (pg_catalog.jsonb_typeof(dimensions) = 'object'),
    reason text NOT NULL CHECK (reason ~ '\S'),
    expires timestamptz NOT NULL CHECK (pg_catalog.isfinite(expires)),
    created_by text NOT NULL DEFAULT CURRENT_USER,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

COMMENT ON TABLE @extschema@.cloudtrail_check_suppression
IS 'Findings that cloudtrail-fdw check is not to count, with the reason, until they expire.';
COMMENT ON COLUMN @extschema@.cloudtrail_check_suppression.resource
IS 'LIKE pattern of the finding''s resource; write \_ for an underscore.';
COMMENT ON COLUMN @extschema@.cloudtrail_check_suppression.dimensions
IS 'Further columns that the finding must have, such as {"source_ip_address": "203.0.113.7"}.';

GRANT EXECUTE ON FUNCTION @extschema@.check_since(), @extschema@.check_until() TO @reader@;
GRANT SELECT, INSERT, UPDATE ON @extschema@.cloudtrail_check_run TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_check_suppression TO @reader@;
