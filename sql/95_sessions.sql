-- Who is behind a session: the chain of a key, the person behind "AWS Internal".
--
-- The functions have no SET clause, so that PostgreSQL inlines them and their bounds reach AWS;
-- every name is qualified instead, operators and types included.

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_session_chain(
    access_key_id text, "from" timestamptz, "to" timestamptz
)
RETURNS TABLE (
    step integer, issued_access_key_id text, event_time timestamptz, event_id text,
    event_name text, issued_arn text, caller_type text, caller_arn text,
    caller_access_key_id text, invoked_by text, source_ip_address text, user_agent text,
    ends_at text
)
LANGUAGE sql STABLE
AS $chain$
WITH RECURSIVE issued AS MATERIALIZED (
    -- two deliveries of one event are one step
    SELECT DISTINCT ON (e.message)
        e.response_elements OPERATOR(pg_catalog.#>>) '{credentials,accessKeyId}' AS key,
        COALESCE(
            e.response_elements OPERATOR(pg_catalog.#>>) '{assumedRoleUser,arn}',
            e.response_elements OPERATOR(pg_catalog.#>>) '{federatedUser,arn}'
        ) AS arn,
        e.event_time, e.event_id, e.event_name, e.user_type, e.user_identifier,
        e.access_key_id, e.invoked_by, e.source_ip_address, e.user_agent
    FROM @extschema@.cloudtrail_event e
    WHERE e.event_time OPERATOR(pg_catalog.>=) $2
        AND e.event_time OPERATOR(pg_catalog.<) $3
        AND e.event_source OPERATOR(pg_catalog.=) 'sts.amazonaws.com'
        AND e.event_name OPERATOR(pg_catalog.=) ANY (ARRAY[
            'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'AssumeRoot',
            'GetFederationToken', 'GetSessionToken'
        ])
),
chain AS (
    SELECT 1 AS step, i.* FROM issued i WHERE i.key OPERATOR(pg_catalog.=) $1
    UNION ALL
    -- a role has 12 hours at most, so 100 steps are no chain of people
    SELECT c.step OPERATOR(pg_catalog.+) 1, i.*
    FROM chain c
    JOIN issued i ON i.key OPERATOR(pg_catalog.=) c.access_key_id
    WHERE c.step OPERATOR(pg_catalog.<) 100
)
SELECT
    c.step, c.key, c.event_time, c.event_id, c.event_name, c.arn, c.user_type,
    c.user_identifier, c.access_key_id, c.invoked_by, c.source_ip_address, c.user_agent,
    CASE
        WHEN EXISTS (SELECT FROM issued i WHERE i.key OPERATOR(pg_catalog.=) c.access_key_id) THEN NULL
        WHEN c.user_type OPERATOR(pg_catalog.=) 'AWSService'
            OR c.user_type IS NULL AND c.invoked_by IS NOT NULL
            THEN 'service'
        WHEN c.user_type OPERATOR(pg_catalog.=) ANY (
            ARRAY['AWSAccount', 'SAMLUser', 'WebIdentityUser', 'Directory']
        )
            THEN 'outside'
        WHEN c.access_key_id OPERATOR(pg_catalog.~~) 'ASIA%' THEN 'not in window'
        ELSE 'person'
    END
FROM chain c
ORDER BY c.step
$chain$;

COMMENT ON FUNCTION @extschema@.cloudtrail_session_chain(text, timestamptz, timestamptz)
IS 'The event that issued a temporary access key, the one that issued its caller''s key, and so on; ends_at of the last tells what was found there.';

CREATE OR REPLACE FUNCTION @extschema@.cloudtrail_console_source("from" timestamptz, "to" timestamptz)
RETURNS TABLE (
    event_time timestamptz, event_id text, event_name text, event_source text, user_arn text,
    session_creation_date timestamptz, source_ip_address text, user_agent text, match text,
    candidates integer, sign_in_event_id text, sign_in_event_name text, sign_in_time timestamptz
)
LANGUAGE sql STABLE
AS $source$
WITH hidden AS MATERIALIZED (
    SELECT e.log_group_name, e.log_event_id, e.event_time, e.event_id, e.event_name,
        e.event_source, e.user_arn,
        pg_catalog.date_trunc('second', e.session_creation_date) AS session_creation_date
    FROM @extschema@.cloudtrail_event e
    WHERE e.event_time OPERATOR(pg_catalog.>=) $1
        AND e.event_time OPERATOR(pg_catalog.<) $2
        AND e.source_ip_address OPERATOR(pg_catalog.=) 'AWS Internal'
        AND e.session_credential_from_console
),
sign_in AS MATERIALIZED (
    SELECT
        COALESCE(
            s.response_elements OPERATOR(pg_catalog.#>>) '{assumedRoleUser,arn}',
            s.response_elements OPERATOR(pg_catalog.#>>) '{federatedUser,arn}',
            s.user_arn
        ) AS arn,
        -- creationDate has no milliseconds
        pg_catalog.date_trunc('second', s.event_time) AS second,
        s.event_time, s.event_id, s.event_name, s.source_ip_address, s.user_agent
    FROM @extschema@.cloudtrail_event s
    -- a console session lasts 12 hours at most (IAM User Guide, id_roles_use_switch-role-console)
    WHERE s.event_time OPERATOR(pg_catalog.>=) ($1 OPERATOR(pg_catalog.-) interval '12 hours')
        AND s.event_time OPERATOR(pg_catalog.<) $2
        AND s.event_name OPERATOR(pg_catalog.=) ANY (ARRAY[
            'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'ConsoleLogin',
            'GetFederationToken', 'SwitchRole'
        ])
        AND s.source_ip IS NOT NULL
        AND s.error_code IS NULL
        -- a failed sign-in has no errorCode
        AND COALESCE(
            s.response_elements OPERATOR(pg_catalog.->>) s.event_name OPERATOR(pg_catalog.<>) 'Failure',
            true
        )
)
SELECT DISTINCT ON (h.event_time, h.log_group_name, h.log_event_id)
    h.event_time, h.event_id, h.event_name, h.event_source, h.user_arn,
    h.session_creation_date, s.source_ip_address, s.user_agent,
    CASE WHEN s.second OPERATOR(pg_catalog.=) h.session_creation_date THEN 'exact'
         WHEN s.arn IS NOT NULL THEN 'nearest' END,
    (pg_catalog.count(s.arn) OVER same)::pg_catalog.int4,
    s.event_id, s.event_name, s.event_time
FROM hidden h
LEFT JOIN sign_in s
    ON s.arn OPERATOR(pg_catalog.=) h.user_arn
    AND s.second OPERATOR(pg_catalog.<=) COALESCE(h.session_creation_date, h.event_time)
    AND s.event_time OPERATOR(pg_catalog.>=) (h.event_time OPERATOR(pg_catalog.-) interval '12 hours')
    -- who gets a key elsewhere uses it elsewhere, unless the console's session is that very key's
    AND (
        s.second OPERATOR(pg_catalog.=) h.session_creation_date
        OR s.event_name OPERATOR(pg_catalog.=) ANY (ARRAY['AssumeRoleWithSAML', 'ConsoleLogin', 'SwitchRole'])
    )
WINDOW same AS (PARTITION BY h.log_group_name, h.log_event_id)
ORDER BY h.event_time, h.log_group_name, h.log_event_id, s.event_time DESC NULLS LAST, s.event_id
$source$;

COMMENT ON FUNCTION @extschema@.cloudtrail_console_source(timestamptz, timestamptz)
IS 'Console calls recorded as AWS Internal, with address and user agent of their session''s sign-in: match is exact (the session was created then), nearest (the last sign-in before it) or NULL; candidates counts the sign-ins to choose from.';

GRANT EXECUTE ON FUNCTION
    @extschema@.cloudtrail_session_chain(text, timestamptz, timestamptz),
    @extschema@.cloudtrail_console_source(timestamptz, timestamptz)
TO @reader@;
