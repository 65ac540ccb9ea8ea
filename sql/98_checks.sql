-- What `cloudtrail-fdw check` and the checks themselves stand on (docs/check_command.md).
--
-- The functions have no SET clause, so that PostgreSQL inlines them and their values reach AWS;
-- every name is qualified instead, operators and types included.

CREATE OR REPLACE FUNCTION @extschema@.check_since()
RETURNS timestamptz
LANGUAGE sql STABLE
AS $since$
SELECT CASE
    WHEN pg_catalog.current_setting('cloudtrail_fdw.check_since', true) OPERATOR(pg_catalog.<>) ''
    THEN pg_catalog.current_setting('cloudtrail_fdw.check_since', true)::pg_catalog.timestamptz
    ELSE pg_catalog.now() OPERATOR(pg_catalog.-) interval '1 day'
END
$since$;

COMMENT ON FUNCTION @extschema@.check_since()
IS 'Since when checks look at deliveries: the setting cloudtrail_fdw.check_since, else a day ago.';

CREATE OR REPLACE FUNCTION @extschema@.check_until()
RETURNS timestamptz
LANGUAGE sql STABLE
AS $until$
SELECT CASE
    WHEN pg_catalog.current_setting('cloudtrail_fdw.check_until', true) OPERATOR(pg_catalog.<>) ''
    THEN pg_catalog.current_setting('cloudtrail_fdw.check_until', true)::pg_catalog.timestamptz
    ELSE 'infinity'::pg_catalog.timestamptz
END
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

COMMENT ON COLUMN @extschema@.cloudtrail_check_run.finished_by
IS 'The role of the run, which alone may move the watermark.';

-- Who runs checks keeps watermarks of his own: others read them and cannot move them, nor can he
-- move one past now, which would hide what is yet to come.
ALTER TABLE @extschema@.cloudtrail_check_run ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS everybody_reads ON @extschema@.cloudtrail_check_run;
CREATE POLICY everybody_reads ON @extschema@.cloudtrail_check_run FOR SELECT USING (true);
DROP POLICY IF EXISTS new_ones_are_the_roles_own ON @extschema@.cloudtrail_check_run;
CREATE POLICY new_ones_are_the_roles_own ON @extschema@.cloudtrail_check_run FOR INSERT
WITH CHECK (finished_by = CURRENT_USER AND delivered_until <= pg_catalog.clock_timestamp());
DROP POLICY IF EXISTS only_the_roles_own_move ON @extschema@.cloudtrail_check_run;
CREATE POLICY only_the_roles_own_move ON @extschema@.cloudtrail_check_run FOR UPDATE
USING (finished_by = CURRENT_USER)
WITH CHECK (finished_by = CURRENT_USER AND delivered_until <= pg_catalog.clock_timestamp());

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
