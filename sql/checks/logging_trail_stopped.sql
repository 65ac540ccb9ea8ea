-- id: logging_trail_stopped
-- title: CloudTrail logging was stopped or a trail deleted
-- severity: critical
-- technique: T1562.008
-- do: Start the trail again, find out who did it, and look for what happened meanwhile in event
--   history, which no trail feeds. An attempt that failed is worth the same question.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'name', c.request ->> 'eventDataStore',
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
    AND e.event_source = 'cloudtrail.amazonaws.com'
    AND e.event_name IN (
        'StopLogging', 'DeleteTrail', 'StopEventDataStoreIngestion', 'DeleteEventDataStore'
    );
