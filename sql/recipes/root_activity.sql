-- What did the root user do?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.recipient_account_id, e.event_source, e.event_name, e.aws_region, e.error_code,
    e.access_key_id, e.source_ip_address, e.user_agent,
    e.additional_event_data ->> 'MFAUsed' AS mfa_used
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.user_type = 'Root'
    AND e.invoked_by IS NULL -- a service that the root user's call has set going
ORDER BY e.event_time;
