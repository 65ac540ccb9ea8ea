-- The role of Grafana's datasource; a superuser runs this after cloudtrail-fdw install, as often as
-- wanted:   psql -f role.sql DSN   and then, once:   \password grafana
--
-- It reads what cloudtrail_reader may read. Settings of a role are not inherited, so it has its own.
DO $role$
BEGIN
    IF pg_catalog.to_regrole('grafana') IS NULL THEN
        -- a pool of 5, and what is left of another one when Grafana starts again
        CREATE ROLE grafana LOGIN CONNECTION LIMIT 10;
    END IF;
END
$role$;

GRANT cloudtrail_reader TO grafana;

ALTER ROLE grafana SET default_transaction_read_only = on;
ALTER ROLE grafana SET statement_timeout = '2min';
ALTER ROLE grafana SET jit = off;
ALTER ROLE grafana SET plan_cache_mode = force_custom_plan;
ALTER ROLE grafana SET search_path = cloudtrail, steampipe, public;

-- All panels of a dashboard share one scan: whole windows are read, without filter patterns, and an
-- answer for the newest part, which may still grow, serves for half a minute.
ALTER ROLE grafana SET cloudtrail_fdw.cache = 'wide';
ALTER ROLE grafana SET cloudtrail_fdw.cache_max_age = '30 s';
