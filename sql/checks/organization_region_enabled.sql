-- id: organization_region_enabled
-- title: A Region was switched on
-- severity: medium
-- technique: T1535
-- do: Regions that nobody looks at are where miners work. Switch it off again if nobody needs
--   it.
SELECT DISTINCT
    COALESCE(c.request ->> 'RegionName', c.request ->> 'regionName', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said,
        ': ' || COALESCE(c.request ->> 'RegionName', c.request ->> 'regionName', '?')
    ) AS reason,
    e.event_time, e.event_id, e.event_name, e.user_arn, e.source_ip_address, e.aws_region,
    e.recipient_account_id, e.error_code, e.user_agent
FROM cloudtrail_event e
CROSS JOIN LATERAL (
    SELECT
        COALESCE(e.error_code, '200') = '200' AS ok,
        concat(
            COALESCE(e.user_identifier, e.invoked_by, 'somebody'), ' called ', e.event_name,
            ' (failed: ' || NULLIF(e.error_code, '200') || ')'
        ) AS said,
        try_jsonb(e.request_parameters #>> '{}') AS request
) AS c
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'account.amazonaws.com'
    AND e.event_name = 'EnableRegion';
