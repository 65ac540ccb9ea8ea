-- id: compute_function_code_replaced
-- title: The code or a layer of a function was replaced
-- severity: low
-- technique: T1525, T1546, T1574
-- do: Usual for deployments: compare who did it with who deploys. A layer from another account
--   runs its code in your function.
SELECT DISTINCT
    COALESCE(c.request ->> 'functionName', concat('account ', e.recipient_account_id)) AS resource,
    CASE WHEN c.ok AND y.layers IS NOT NULL THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, COALESCE(': layers of another account: ' || y.layers, '')) AS reason,
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
    SELECT string_agg(x.layer #>> '{}', ', ')
    FROM jsonb_path_query(c.request, 'lax $.layers[*] ? (@.type() == "string")') AS x (layer)
    WHERE substring(x.layer #>> '{}' FROM ':lambda:[^:]*:(\d{12}):') <> e.recipient_account_id
) AS y (layers)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 'lambda.amazonaws.com'
    AND (e.event_name LIKE 'UpdateFunctionCode%'
        OR e.event_name LIKE 'UpdateFunctionConfiguration%')
    AND (y.layers IS NOT NULL
        OR e.event_name LIKE 'UpdateFunctionCode%'
        AND c.request ->> 'dryRun' IS DISTINCT FROM 'true');
