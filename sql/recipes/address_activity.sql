-- What happened from this address, and who was it?
WITH asked AS (
    SELECT
        '157.230.162.15' AS address,
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.recipient_account_id, e.user_identifier, e.access_key_id,
    count(DISTINCT e.user_agent) AS user_agents, count(*) AS events,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    min(e.event_time) AS first_seen, max(e.event_time) AS last_seen,
    array_agg(DISTINCT e.event_name) AS calls
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.source_ip_address = a.address
GROUP BY e.recipient_account_id, e.user_identifier, e.access_key_id
ORDER BY first_seen;
