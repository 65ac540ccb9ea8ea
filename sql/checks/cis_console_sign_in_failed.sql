-- id: cis_console_sign_in_failed
-- title: Sign-ins to the console failed
-- severity: low
-- technique: T1110
-- do: Ask the person. Three failures or more from one address are an alarm: look for a success
--   after them, and block the address. Fewer are info. CIS 4.6.
SELECT
    coalesce(source_ip_address, recipient_account_id, 'unknown') AS resource,
    CASE WHEN count(DISTINCT event_id) >= 3 THEN 'alarm' ELSE 'info' END AS status,
    count(DISTINCT event_id) || ' sign-ins failed from ' || coalesce(source_ip_address, 'nowhere')
        || ' as ' || coalesce(string_agg(DISTINCT who, ', '), 'somebody')
        || ': ' || coalesce(string_agg(DISTINCT error_message, ', '), 'no reason given') AS reason,
    min(event_time) AS event_time,
    (array_agg(event_id ORDER BY event_time, event_id))[1] AS event_id,
    max(event_time) AS last_event_time,
    string_agg(DISTINCT user_arn, ', ') AS user_arn,
    source_ip_address,
    string_agg(DISTINCT aws_region, ', ') AS aws_region,
    recipient_account_id
FROM cloudtrail_sign_in
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'ConsoleLogin'
    AND NOT success
GROUP BY source_ip_address, recipient_account_id;
