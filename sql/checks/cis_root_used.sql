-- id: cis_root_used
-- title: The root user was used
-- severity: high
-- technique: T1078.004
-- do: Ask the owner of the account. Nothing but closing it and a few settings needs root. CIS 4.3.
--   Failed sign-ins are cis_console_sign_in_failed's.
SELECT
    coalesce(user_arn, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    'the root user of ' || coalesce(recipient_account_id, 'an account') || ' made '
        || count(DISTINCT event_id) || ' calls from ' || coalesce(source_ip_address, 'nowhere')
        || ': ' || string_agg(DISTINCT event_name, ', ') AS reason,
    min(event_time) AS event_time,
    (array_agg(event_id ORDER BY event_time, event_id))[1] AS event_id,
    max(event_time) AS last_event_time,
    user_arn, source_ip_address,
    string_agg(DISTINCT aws_region, ', ') AS aws_region,
    recipient_account_id
FROM cloudtrail_event
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND user_type = 'Root'
    AND event_type IS DISTINCT FROM 'AwsServiceEvent'
    -- what a service does for the account
    AND invoked_by IS NULL
    -- the record of a failure names root as well, and anybody can fail
    AND response_elements ->> 'ConsoleLogin' IS DISTINCT FROM 'Failure'
GROUP BY user_arn, source_ip_address, recipient_account_id;
