-- id: logging_guardduty_weakened
-- title: GuardDuty was switched off or told to look away
-- severity: critical
-- technique: T1562.001
-- do: Restore the detector and its members; delete filters and trusted lists that nobody of
--   yours made.
SELECT DISTINCT
    COALESCE(c.request ->> 'detectorId', concat('account ', e.recipient_account_id)) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    c.said AS reason,
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
    AND e.event_source = 'guardduty.amazonaws.com'
    AND e.event_name IN (
        'DeleteDetector', 'UpdateDetector', 'CreateFilter', 'UpdateFilter', 'CreateIPSet',
        'UpdateIPSet', 'CreateTrustedEntitySet', 'StopMonitoringMembers', 'DeleteMembers',
        'DisassociateMembers', 'DisassociateFromAdministratorAccount',
        'DisassociateFromMasterAccount', 'DeletePublishingDestination',
        'DisableOrganizationAdminAccount'
    )
    AND (e.event_name <> 'UpdateDetector' OR c.request ->> 'enable' = 'false')
    AND (e.event_name NOT IN ('CreateFilter', 'UpdateFilter') OR c.request ->> 'action' = 'ARCHIVE')
    AND (e.event_name <> 'UpdateIPSet' OR c.request ->> 'activate' = 'true');
