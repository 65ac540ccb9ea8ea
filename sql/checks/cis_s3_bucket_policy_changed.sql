-- id: cis_s3_bucket_policy_changed
-- title: Who may use an S3 bucket was changed
-- severity: low
-- technique: T1537
-- do: Look at who may read the bucket now. CIS 4.8: policies, ACLs, CORS, lifecycle and
--   replication. Attempts that failed are info.
SELECT DISTINCT
    coalesce(named.thing, recipient_account_id, 'unknown') AS resource,
    CASE WHEN error_code IS NULL OR error_code = '200' THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_identifier, source_ip_address, 'somebody')
        || CASE
            WHEN error_code IS NULL OR error_code = '200' THEN ' called '
            ELSE ' failed (' || error_code || ') to call '
        END
        || event_name || coalesce(' on ' || named.thing, '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_event
CROSS JOIN LATERAL (
    SELECT request_parameters ->> 'bucketName'
) AS named (thing)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_source = 's3.amazonaws.com'
    AND event_name IN (
        'DeleteBucketCors', 'DeleteBucketLifecycle', 'DeleteBucketPolicy',
        'DeleteBucketReplication', 'PutBucketAcl', 'PutBucketCors', 'PutBucketLifecycle',
        'PutBucketLifecycleConfiguration', 'PutBucketPolicy', 'PutBucketReplication'
    );
