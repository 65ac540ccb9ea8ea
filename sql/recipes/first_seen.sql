-- Which calls did somebody make for the first time?
-- Nothing before known_from is looked at: go back as far as you can wait.
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS known_from,
        timestamptz '2026-11-20 12:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    min(e.event_time) AS first_seen,
    COALESCE(e.session_issuer_arn, e.user_arn, e.invoked_by, e.user_account_id) AS who,
    e.event_source, e.event_name, count(*) AS events,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    array_agg(DISTINCT e.source_ip_address) AS addresses
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.known_from AND e.event_time < a.until
GROUP BY who, e.event_source, e.event_name, a.since
HAVING min(e.event_time) >= a.since
ORDER BY first_seen;
