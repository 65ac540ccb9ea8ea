-- id: logging_log_group_deleted
-- title: CloudWatch logs were deleted or cut off from their readers
-- severity: medium
-- technique: T1070, T1562.008
-- do: Find out what the group held. Logs that are deleted cannot be had back.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'logGroupName', c.request ->> 'destinationName', c.request ->> 'id',
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
    AND e.event_source = 'logs.amazonaws.com'
    AND e.event_name IN (
        'DeleteLogGroup', 'DeleteLogStream', 'PutRetentionPolicy', 'DeleteSubscriptionFilter',
        'DeleteMetricFilter', 'DeleteDestination', 'DeleteDelivery'
    )
    AND (e.event_name <> 'PutRetentionPolicy'
        OR c.request ->> 'retentionInDays' ~ '^[1-3](\.0*)?$');
