-- Who is behind "AWS Internal" in the console, and from where?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    c.event_time, c.event_source, c.event_name, c.user_arn, c.match, c.source_ip_address,
    i.country_name, i.city, c.sign_in_event_name, c.sign_in_time, c.sign_in_event_id
FROM asked a
CROSS JOIN LATERAL cloudtrail_console_source(a.since, a.until) c
LEFT JOIN ip_enrichment i ON i.ip = c.source_ip_address
ORDER BY c.event_time;
