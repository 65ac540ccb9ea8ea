-- id: logging_bucket_expires_soon
-- title: Objects of a bucket are made to expire within a week
-- severity: high
-- technique: T1562.008, T1485
-- do: Where the bucket holds logs or backups, remove the rule at once: expired objects are gone
--   for good unless the bucket has versions.
SELECT DISTINCT
    COALESCE(c.request ->> 'bucketName', concat('account ', e.recipient_account_id)) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said,
        format(
            ': rule %s deletes objects %s days old', COALESCE(l.rule ->> 'ID', '(unnamed)'), l.days
        )
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
CROSS JOIN LATERAL (
    SELECT
        x.rule,
        COALESCE(
            x.rule #>> '{Expiration,Days}',
            x.rule #>> '{NoncurrentVersionExpiration,NoncurrentDays}'
        ) AS days
    FROM jsonb_path_query(
        c.request, 'lax $.LifecycleConfiguration.Rule[*] ? (@.Status == "Enabled")'
    ) AS x (rule)
) AS l
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 's3.amazonaws.com'
    AND e.event_name IN (
        'PutBucketLifecycle', 'PutBucketLifecycleConfiguration'
    )
    AND l.days ~ '^[0-7](\.0*)?$';
