-- id: data_objects_deleted_in_bulk
-- title: One identity deleted many objects of S3 within an hour
-- severity: high
-- technique: T1485, T1486
-- do: Stop the identity if nobody ordered it; restore from versions. Seen only where a trail
--   records data events of S3.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s deleted objects of %s in %s calls',
        COALESCE(e.user_identifier, 'somebody'),
        string_agg(DISTINCT r.request ->> 'bucketName', ', '),
        count(DISTINCT e.event_id)
    ) AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_identifier AS user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id
FROM cloudtrail_event e
CROSS JOIN LATERAL (SELECT try_jsonb(e.request_parameters #>> '{}')) AS r (request)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 's3.amazonaws.com'
    AND e.event_name IN ('DeleteObject', 'DeleteObjects')
    AND COALESCE(e.error_code, '200') = '200'
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT e.event_id) >= 30
    OR count(DISTINCT e.event_id) FILTER (WHERE e.event_name = 'DeleteObjects') >= 3;
