-- id: data_bucket_versions_given_up
-- title: Versions, locks or copies of a bucket were given up
-- severity: high
-- technique: T1490, T1485
-- do: Restore them. Who means to destroy or ransom data begins here: look for deletions by the
--   same identity.
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
    AND e.event_source = 's3.amazonaws.com'
    AND e.event_name IN (
        'PutBucketVersioning', 'PutBucketObjectLockConfiguration', 'PutObjectLockConfiguration',
        'DeleteBucketReplication', 'DeleteBucketEncryption'
    )
    AND (e.event_name <> 'PutBucketVersioning'
        OR c.request #>> '{VersioningConfiguration,Status}' = 'Suspended'
        OR c.request #>> '{VersioningConfiguration,MfaDelete}' = 'Disabled')
    AND (e.event_name NOT LIKE '%ObjectLockConfiguration'
        OR NOT c.request @? '$.ObjectLockConfiguration.Rule');
