-- Who is behind this temporary key?
-- Keys live for up to 36 hours: begin two days before the key was used.
WITH asked AS (
    SELECT
        'ASIAEXAMPLEASSUMED01' AS access_key_id,
        timestamptz '2026-11-19 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    c.step, c.event_time, c.event_name, c.issued_arn, c.caller_arn, c.caller_access_key_id,
    c.invoked_by, c.source_ip_address, c.ends_at
FROM asked a
CROSS JOIN LATERAL cloudtrail_session_chain(a.access_key_id, a.since, a.until) c
ORDER BY c.step;
