-- id: logging_trail_weakened
-- title: A trail records less than before
-- severity: high
-- technique: T1562.008
-- do: Compare the trail with how it should be and restore its event selectors, Regions and
--   targets.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'trailName', c.request ->> 'name',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': ' || l.lost) AS reason,
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
    SELECT NULLIF(concat_ws(
        ', ',
        CASE WHEN c.request -> 'eventSelectors' IS NOT NULL
            AND NOT c.request @? 'lax $.eventSelectors[*] ? (
                @.includeManagementEvents == true && @.readWriteType == "All")'
            THEN 'not all management events are recorded' END,
        CASE WHEN c.request @? 'lax $.eventSelectors[*].excludeManagementEventSources[*]'
            THEN 'services are left out' END,
        CASE WHEN c.request -> 'advancedEventSelectors' IS NOT NULL
            AND NOT c.request @? 'lax $.advancedEventSelectors[*].fieldSelectors[*] ? (
                @.field == "eventCategory").equals[*] ? (@ == "Management")'
            THEN 'management events are not recorded' END,
        CASE WHEN c.request ->> 'includeGlobalServiceEvents' = 'false'
            THEN 'global services are left out' END,
        CASE WHEN c.request ->> 'isMultiRegionTrail' = 'false' THEN 'one Region only' END,
        CASE WHEN c.request ->> 'isOrganizationTrail' = 'false' THEN 'one account only' END,
        CASE WHEN COALESCE(
                c.request ->> 'enableLogFileValidation', c.request ->> 'logFileValidationEnabled'
            ) = 'false' THEN 'no validation of files' END,
        CASE WHEN c.request ->> 'cloudWatchLogsLogGroupArn' = ''
            THEN 'no delivery to CloudWatch Logs' END,
        'files go to bucket ' || (c.request ->> 's3BucketName')
    ), '')
) AS l (lost)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'cloudtrail.amazonaws.com'
    AND e.event_name IN ('PutEventSelectors', 'UpdateTrail')
    AND l.lost IS NOT NULL;
