-- Which Regions woke up?
-- Nothing before known_from is looked at: go back as far as you can wait.
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS known_from,
        timestamptz '2026-11-20 10:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.aws_region, min(e.event_time) AS first_seen, count(*) AS events,
    count(*) FILTER (WHERE e.read_only IS FALSE) AS writes,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    array_agg(DISTINCT e.user_identifier) AS people
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.known_from AND e.event_time < a.until
GROUP BY e.aws_region, a.since
HAVING min(e.event_time) >= a.since
ORDER BY first_seen;
