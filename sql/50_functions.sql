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
