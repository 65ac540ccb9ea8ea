-- id: data_deleted_in_bulk
-- title: One identity deleted many resources within an hour
-- severity: high
-- technique: T1485
-- do: Stop the identity if nobody ordered it. Some deletions can be taken back: secrets and keys
--   wait, buckets with versions keep.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s deleted %s resources: %s',
        COALESCE(e.user_identifier, 'somebody'), count(DISTINCT e.event_id),
        string_agg(DISTINCT e.event_name, ', ')
    ) AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_identifier AS user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id
FROM cloudtrail_event e
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_name IN (
        'DeleteBucket', 'DeleteSecret', 'DeleteSnapshot', 'DeleteVolume', 'DeregisterImage',
        'TerminateInstances', 'DeleteTable', 'DeleteFileSystem', 'DeleteDBInstance',
        'DeleteDBCluster', 'DeleteDBSnapshot', 'DeleteRepository', 'DeleteStack', 'DeleteCluster',
        'DeleteHostedZone', 'DeleteUserPool'
    )
    AND COALESCE(e.error_code, '200') = '200'
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT e.event_id) >= 10;
