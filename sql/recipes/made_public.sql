-- What was made public, or shared with other accounts?
-- shared_with holds whom a policy allows, AWS services aside, your own account included.
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.event_name, s.resource, s.shared_with,
    s.shared_with::text ~ '"(\*|all)"|AllUsers|AuthenticatedUsers|public-read' AS with_everybody,
    COALESCE(e.error_code, '200') = '200' AS success, e.user_identifier, e.source_ip_address
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
CROSS JOIN LATERAL (
    SELECT
        COALESCE(
            e.request_parameters ->> 'bucketName', e.request_parameters ->> 'snapshotId',
            e.request_parameters ->> 'imageId', e.request_parameters ->> 'functionName',
            e.request_parameters ->> 'roleName', e.request_parameters ->> 'keyId',
            e.request_parameters ->> 'secretId', e.request_parameters ->> 'queueUrl',
            e.request_parameters ->> 'topicArn', e.request_parameters ->> 'repositoryName',
            e.request_parameters ->> 'dBSnapshotIdentifier',
            e.request_parameters ->> 'dBClusterSnapshotIdentifier'
        ) AS resource,
        NULLIF(
            CASE
                WHEN e.event_name LIKE 'Modify%Attribute'
                    THEN jsonb_path_query_array(e.request_parameters, '$.*.add.items[*].*')
                        || COALESCE(e.request_parameters -> 'valuesToAdd', '[]')
                WHEN e.event_name LIKE 'AddPermission%'
                    THEN jsonb_path_query_array(e.request_parameters, '$.principal')
                WHEN e.event_name LIKE 'Put%Acl'
                    THEN jsonb_path_query_array(e.request_parameters, '$.**.URI')
                        || jsonb_path_query_array(e.request_parameters, '$."x-amz-acl"')
                ELSE jsonb_path_query_array(
                    COALESCE(
                        e.request_parameters -> 'bucketPolicy',
                        try_jsonb(e.request_parameters ->> 'policyDocument'),
                        try_jsonb(e.request_parameters ->> 'assumeRolePolicyDocument'),
                        try_jsonb(e.request_parameters ->> 'policy'),
                        try_jsonb(e.request_parameters ->> 'policyText'),
                        try_jsonb(e.request_parameters ->> 'resourcePolicy'),
                        try_jsonb(e.request_parameters ->> 'attributeValue'),
                        try_jsonb(e.request_parameters -> 'attributes' ->> 'Policy')
                    ),
                    '$.Statement[*] ? (@.Effect == "Allow").Principal
                        ? (@ == "*" || exists (@.AWS) || exists (@.Federated))'
                )
            END,
            '[]'
        ) AS shared_with
) AS s
WHERE e.event_name IN (
    'AddPermission', 'AddPermission20150331v2', 'CreateRole', 'ModifyDBClusterSnapshotAttribute',
    'ModifyDBSnapshotAttribute', 'ModifyImageAttribute', 'ModifySnapshotAttribute',
    'PutBucketAcl', 'PutBucketPolicy', 'PutKeyPolicy', 'PutObjectAcl', 'PutResourcePolicy',
    'SetQueueAttributes', 'SetRepositoryPolicy', 'SetTopicAttributes', 'UpdateAssumeRolePolicy'
)
    AND s.shared_with IS NOT NULL
ORDER BY with_everybody DESC, e.event_time;
