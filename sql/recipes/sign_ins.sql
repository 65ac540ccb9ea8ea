-- Where do people sign in from, and how often do they fail?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.who, e.event_name, e.source_ip_address, i.country_name, i.city, i.as_organization,
    count(DISTINCT e.event_id) FILTER (WHERE e.success) AS succeeded,
    count(DISTINCT e.event_id) FILTER (WHERE NOT e.success) AS failed,
    bool_and(e.mfa_used) FILTER (WHERE e.success) AS always_mfa,
    min(e.event_time) AS first_seen, max(e.event_time) AS last_seen
FROM asked a
JOIN cloudtrail_sign_in e ON e.event_time >= a.since AND e.event_time < a.until
LEFT JOIN ip_enrichment i ON i.ip = e.source_ip_address
GROUP BY
    e.who, e.event_name, e.source_ip_address, i.country_name, i.city, i.as_organization
ORDER BY failed DESC, first_seen;
