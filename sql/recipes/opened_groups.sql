-- Which security groups were opened to the world?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.aws_region, e.group_id, e.protocol, e.from_port, e.to_port, e.cidr, e.change,
    e.success, e.user_arn, e.source_ip_address
FROM asked a
JOIN cloudtrail_security_group_rule e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.open_to_world
    AND e.egress IS NOT TRUE
    AND e.change IN ('authorize', 'modify')
ORDER BY e.event_time;
