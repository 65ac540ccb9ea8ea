-- Who came in from other accounts or identity providers?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.user_type, COALESCE(e.user_identifier, e.user_account_id, e.principal_id) AS caller,
    e.request_parameters ->> 'roleArn' AS role_arn,
    e.request_parameters ->> 'externalId' AS external_id,
    e.source_ip_address, count(*) AS events,
    count(*) FILTER (WHERE e.error_code <> '200') AS failed,
    array_agg(e.response_elements -> 'credentials' ->> 'accessKeyId') AS access_key_ids,
    min(e.event_time) AS first_seen, max(e.event_time) AS last_seen
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.event_source = 'sts.amazonaws.com'
    AND e.event_name IN ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')
    AND (e.event_name <> 'AssumeRole' OR e.user_account_id <> e.recipient_account_id)
GROUP BY e.user_type, caller, role_arn, external_id, e.source_ip_address
ORDER BY first_seen;
