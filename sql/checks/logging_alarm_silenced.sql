-- id: logging_alarm_silenced
-- title: An alarm or the rule that feeds it was switched off
-- severity: medium
-- technique: T1562.001, T1562.008
-- do: Ask whether it was a deployment. If not, look at what the alarm would have told.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'alarmNames', c.request ->> 'name', c.request ->> 'rule',
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
    AND e.event_source IN ('monitoring.amazonaws.com', 'events.amazonaws.com')
    AND e.event_name IN (
        'DeleteAlarms', 'DisableAlarmActions', 'DisableRule', 'DeleteRule', 'RemoveTargets'
    );
