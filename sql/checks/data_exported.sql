-- id: data_exported
-- title: Data was exported or replicated out of its service
-- severity: medium
-- technique: T1537, T1530
-- do: Ask whose job it was and whose bucket it went to.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'sourceArn',
        c.request ->> 'tableArn',
        c.request ->> 'imageId',
        c.request ->> 'instanceId',
        c.request ->> 'bucketName',
        c.request #>> '{CreateStoreImageTaskRequest,ImageId}',
        c.request #>> '{ExportImageRequest,ImageId}',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE
        WHEN c.ok
            AND (t.account <> e.recipient_account_id OR e.event_name <> 'PutBucketReplication')
            THEN 'alarm'
        ELSE 'info'
    END AS status,
    concat(c.said, COALESCE(': to ' || t.target, '')) AS reason,
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
        COALESCE(
            c.request ->> 's3BucketName', c.request ->> 's3Bucket',
            c.request #>> '{exportToS3,s3Bucket}',
            jsonb_path_query_first(c.request, 'lax $.**.Bucket') #>> '{}'
        ),
        jsonb_path_query_first(c.request, 'lax $.**.Destination.Account') #>> '{}'
) AS t (target, account)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_name IN (
        'StartExportTask', 'ExportTableToPointInTime', 'CreateStoreImageTask',
        'CreateInstanceExportTask', 'ExportImage', 'PutBucketReplication'
    )
    AND e.event_source IN (
        'rds.amazonaws.com', 'dynamodb.amazonaws.com', 'ec2.amazonaws.com', 's3.amazonaws.com'
    );
