-- id: data_protection_removed
-- title: A guard against public data was taken down
-- severity: high
-- technique: T1562, T1530
-- do: Put it back, and look at what became public meanwhile.
SELECT DISTINCT
    COALESCE(c.request ->> 'bucketName', concat('account ', e.recipient_account_id)) AS resource,
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
    AND e.event_source IN ('s3.amazonaws.com', 'ec2.amazonaws.com')
    AND e.event_name IN (
        'PutBucketPublicAccessBlock', 'DeleteBucketPublicAccessBlock',
        'PutAccountPublicAccessBlock', 'DeleteAccountPublicAccessBlock',
        'DisableSnapshotBlockPublicAccess', 'DisableImageBlockPublicAccess',
        'DisableEbsEncryptionByDefault'
    )
    AND (e.event_name NOT LIKE 'Put%'
        OR c.request @? 'lax $.PublicAccessBlockConfiguration.* ? (@ == false || @ == "false")');
