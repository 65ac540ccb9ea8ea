-- id: where_hosting_provider
-- title: Calls came from a hosting provider other than AWS
-- severity: medium
-- technique: T1078.004, T1090
-- do: Find out whether a build service or VPN of yours runs there. If not, the credentials are
--   stolen: deactivate them. One finding for each identity and provider.
SELECT
    coalesce(coalesce(e.user_identifier, e.access_key_id), e.recipient_account_id, 'unknown') AS resource,
    'alarm' AS status,
    coalesce(coalesce(e.user_identifier, e.access_key_id), 'somebody') || ' made '
        || count(DISTINCT e.event_id) || ' calls from ' || i.as_organization || ' ('
        || string_agg(DISTINCT concat_ws(' in ', e.source_ip_address, i.country_name), ', ')
        || '), failed: ' || count(DISTINCT e.event_id) FILTER (WHERE e.error_code <> '200') AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id,
    i.as_organization
FROM cloudtrail_event e
JOIN ip_enrichment i ON i.ip = e.source_ip_address
WHERE e.timestamp >= check_since()
    AND e.timestamp < check_until()
    AND e.user_type IN ('IAMUser', 'Root', 'AssumedRole', 'FederatedUser', 'IdentityCenterUser')
    AND e.source_address_class = 'public'
    AND cloudtrail_is_hosting(i.as_organization)
    -- a failed sign-in is nobody's credentials
    AND e.response_elements ->> 'ConsoleLogin' IS DISTINCT FROM 'Failure'
GROUP BY
    coalesce(e.user_identifier, e.access_key_id), e.user_arn, e.recipient_account_id,
    i.as_organization;
