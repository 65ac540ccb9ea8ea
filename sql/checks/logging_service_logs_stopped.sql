-- id: logging_service_logs_stopped
-- title: A service's own logs were stopped
-- severity: high
-- technique: T1562.008
-- do: Switch the logs on again. DNS, access and model logs show what no management event does.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'bucketName',
        c.request ->> 'resourceArn',
        c.request ->> 'resolverQueryLogConfigId',
        c.request ->> 'resourceId',
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
        'DisassociateResolverQueryLogConfig', 'DeleteResolverQueryLogConfig',
        'DeleteLoggingConfiguration', 'PutBucketLogging',
        'DeleteModelInvocationLoggingConfiguration'
    )
    AND (e.event_name <> 'PutBucketLogging'
        OR NOT c.request @? '$.BucketLoggingStatus.LoggingEnabled')
    AND e.event_source IN (
        'route53resolver.amazonaws.com', 'wafv2.amazonaws.com', 'waf.amazonaws.com',
        'waf-regional.amazonaws.com', 'network-firewall.amazonaws.com', 's3.amazonaws.com',
        'bedrock.amazonaws.com'
    );
