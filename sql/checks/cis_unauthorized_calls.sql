-- id: cis_unauthorized_calls
-- title: Somebody tries what is not allowed
-- severity: low
-- technique: T1580, T1526
-- do: Ask the caller. Five different refusals or more are an alarm: somebody may be finding out
--   what a stolen key can do. Fewer are info. CIS 4.1.
SELECT
    coalesce(who, 'unknown') AS resource,
    CASE
        WHEN count(DISTINCT (event_source, event_name)) >= 5 THEN 'alarm' ELSE 'info'
    END AS status,
    coalesce(who, 'somebody') || ' was refused '
        || count(DISTINCT event_id) || ' times, on ' || count(DISTINCT (event_source, event_name))
        || ' operations: ' || string_agg(DISTINCT event_name, ', ') AS reason,
    min(event_time) AS event_time,
    (array_agg(event_id ORDER BY event_time, event_id))[1] AS event_id,
    max(event_time) AS last_event_time,
    user_arn,
    string_agg(DISTINCT source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT aws_region, ', ') AS aws_region,
    recipient_account_id
FROM cloudtrail_event
CROSS JOIN LATERAL (
    SELECT coalesce(user_identifier, access_key_id, source_ip_address)
) AS caller (who)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND error_code IS NOT NULL
    AND error_code ~ '(^|[.])(AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized|Forbidden)'
    -- what AWS's services try for you, and a question whose answer is the refusal
    AND invoked_by IS NULL
    AND user_type IS DISTINCT FROM 'AWSService'
    AND source_ip_address IS DISTINCT FROM 'delivery.logs.amazonaws.com'
    AND event_name <> 'HeadBucket'
GROUP BY who, user_arn, recipient_account_id;
