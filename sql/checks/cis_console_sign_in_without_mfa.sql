-- id: cis_console_sign_in_without_mfa
-- title: Somebody signed in to the console without MFA
-- severity: medium
-- technique: T1078.004
-- do: Give the user an MFA device and a policy that asks for it. Users of identity providers do
--   not count: only the provider knows. CIS 4.2.
SELECT DISTINCT
    coalesce(who, recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(who, 'somebody') || ' signed in to the console from '
        || coalesce(source_ip_address, 'nowhere') || ' without MFA' AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_sign_in
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_name = 'ConsoleLogin'
    AND success
    AND NOT mfa_used;
