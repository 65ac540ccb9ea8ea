-- id: where_console_sign_in_from_cloud
-- title: Somebody signed in to the console from a rented machine
-- severity: medium
-- technique: T1078.004
-- do: Ask the person: people sit behind their own lines or the office's. A company VPN that runs
--   on AWS or with a hosting provider is to be suppressed by its address.
SELECT DISTINCT
    coalesce(s.who, s.recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(s.who, 'somebody') || ' signed in to the console from ' || s.source_ip_address
        || ', of ' || coalesce(i.as_organization, 'AWS')
        || coalesce(' in ' || i.country_name, '') AS reason,
    s.event_time, s.event_id, s.event_name, s.user_arn, s.source_ip_address, s.aws_region,
    s.recipient_account_id, i.as_organization, i.country_code
FROM cloudtrail_sign_in s
JOIN ip_enrichment i ON i.ip = s.source_ip_address
WHERE s.timestamp >= check_since()
    AND s.timestamp < check_until()
    AND s.event_name = 'ConsoleLogin'
    AND s.success
    AND (i.is_aws OR cloudtrail_is_hosting(i.as_organization));
