-- What did this person change?
WITH asked AS (
    SELECT
        ARRAY[ -- the user, and the sessions of roles that the person took
            'arn:aws:iam::123456789012:user/alice',
            'arn:aws:sts::123456789012:assumed-role/admin/alice'
        ] AS user_arns,
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.user_arn, e.event_source, e.event_name, e.aws_region, e.error_code,
    e.source_ip_address, e.request_parameters
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.user_arn = ANY (a.user_arns)
    AND e.read_only IS NOT TRUE
    AND e.event_source <> 'signin.amazonaws.com'
ORDER BY e.event_time;
