-- id: compute_function_opened
-- title: A function can be called by everybody or from another account
-- severity: high
-- technique: T1546, T1190
-- do: Remove the statement or the URL. A function that anybody may call is a back door with its
--   role's rights.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'functionName', c.request ->> 'layerName',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said,
        COALESCE(': principal ' || (c.request ->> 'principal'), ': without authentication')
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
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'lambda.amazonaws.com'
    AND (e.event_name LIKE 'AddPermission%' OR e.event_name LIKE 'CreateFunctionUrlConfig%'
        OR e.event_name LIKE 'UpdateFunctionUrlConfig%'
        OR e.event_name LIKE 'AddLayerVersionPermission%')
    AND (c.request ->> 'authType' = 'NONE'
        OR e.event_name NOT LIKE '%UrlConfig%'
        AND (
            c.request ->> 'principal' = '*'
            AND COALESCE(c.request ->> 'sourceAccount', c.request ->> 'principalOrgID',
                c.request ->> 'organizationId', c.request ->> 'sourceArn') IS NULL
            OR substring(c.request ->> 'principal' FROM '\d{12}') <> e.recipient_account_id
        ));
