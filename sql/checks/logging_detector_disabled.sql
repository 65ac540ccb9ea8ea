-- id: logging_detector_disabled
-- title: A security service of AWS was switched off
-- severity: high
-- technique: T1562.001
-- do: Switch it on again, and look at what it would have reported since.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'configurationRecorderName',
        c.request ->> 'configRuleName',
        c.request ->> 'deliveryChannelName',
        c.request ->> 'analyzerName',
        c.request ->> 'graphArn',
        c.request ->> 'resourceArn',
        c.request ->> 'name',
        concat('account ', e.recipient_account_id)
    ) AS resource,
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
    AND e.event_name IN (
        'DisableSecurityHub', 'DisableSecurityHubV2', 'BatchDisableStandards',
        'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'DeleteDeliveryChannel',
        'DeleteConfigRule', 'DisableMacie', 'DeleteAnalyzer', 'DeleteGraph', 'Disable',
        'DeleteWebACL', 'DisassociateWebACL'
    )
    AND e.event_source IN (
        'securityhub.amazonaws.com', 'config.amazonaws.com', 'macie2.amazonaws.com',
        'access-analyzer.amazonaws.com', 'detective.amazonaws.com', 'inspector2.amazonaws.com',
        'wafv2.amazonaws.com'
    );
