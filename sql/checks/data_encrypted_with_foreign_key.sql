-- id: data_encrypted_with_foreign_key
-- title: Objects were encrypted with a key that is not the account's
-- severity: critical
-- technique: T1486
-- do: Stop the identity at once: this is how objects are held to ransom. Restore from versions
--   or backups.
SELECT DISTINCT
    COALESCE(c.request ->> 'bucketName', concat('account ', e.recipient_account_id)) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': ' || k.how) AS reason,
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
    SELECT CASE
        WHEN e.additional_event_data ->> 'SSEApplied' = 'SSE_C'
            OR c.request ? 'x-amz-server-side-encryption-customer-algorithm'
            THEN 'with a key that the caller keeps to itself'
        WHEN substring(x.key FROM ':kms:[^:]*:(\d{12}):') <> e.recipient_account_id
            THEN 'with ' || x.key
    END
    FROM (SELECT COALESCE(
        c.request ->> 'x-amz-server-side-encryption-aws-kms-key-id',
        jsonb_path_query_first(c.request, 'lax $.**.KMSMasterKeyID') #>> '{}'
    )) AS x (key)
) AS k (how)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 's3.amazonaws.com'
    AND e.event_name IN (
        'PutObject', 'CopyObject', 'CreateMultipartUpload', 'PutBucketEncryption',
        'UploadPartCopy'
    )
    AND k.how IS NOT NULL;
