-- What failed for want of permission?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.user_identifier, e.access_key_id, e.source_ip_address, e.event_source, e.event_name,
    e.error_code, count(*) AS events, min(e.event_time) AS first_seen, max(e.event_time) AS last_seen
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.error_code IS NOT NULL -- each service has a code of its own
    AND e.error_code ~* '(access_?denied|unauthorized|not_?authorized|authorizationerror|forbidden)'
GROUP BY
    e.user_identifier, e.access_key_id, e.source_ip_address, e.event_source, e.event_name,
    e.error_code
ORDER BY events DESC, first_seen;
