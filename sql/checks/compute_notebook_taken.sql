-- id: compute_notebook_taken
-- title: A notebook or development endpoint was opened or made to run code
-- severity: medium
-- technique: T1059, T1548
-- do: Whoever opens it has its role. Ask who ordered it; look at the script of the lifecycle
--   configuration.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'notebookInstanceName',
        c.request ->> 'notebookInstanceLifecycleConfigName',
        c.request ->> 'endpointName',
        c.request ->> 'domainId',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE
        WHEN c.ok AND e.event_name NOT LIKE 'CreatePresigned%' THEN 'alarm'
        ELSE 'info'
    END AS status,
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
    AND e.event_source IN ('sagemaker.amazonaws.com', 'glue.amazonaws.com')
    AND e.event_name IN (
        'CreatePresignedNotebookInstanceUrl', 'CreatePresignedDomainUrl',
        'CreateNotebookInstanceLifecycleConfig', 'UpdateNotebookInstanceLifecycleConfig',
        'CreateDevEndpoint', 'UpdateDevEndpoint'
    );
