-- id: compute_remote_command
-- title: Commands were run or a shell opened on instances from outside
-- severity: medium
-- technique: T1651, T1021.007, T1021.004
-- do: Ask who sent it. Session Manager's and Run Command's own logs hold what was run;
--   CloudTrail hides it.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'instanceIds', c.request ->> 'instanceId', c.request ->> 'target',
        c.request ->> 'task',
        c.request ->> 'targets', '(unknown)'
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, COALESCE(': document ' || (c.request ->> 'documentName'), '')) AS reason,
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
    AND e.event_source IN (
        'ssm.amazonaws.com', 'ec2-instance-connect.amazonaws.com', 'ecs.amazonaws.com'
    )
    AND e.event_name IN (
        'SendCommand', 'StartSession', 'ResumeSession', 'SendSSHPublicKey',
        'SendSerialConsoleSSHPublicKey', 'ExecuteCommand', 'StartAutomationExecution'
    )
    -- AWS Internal is the console's proxy
    AND COALESCE(e.invoked_by, 'AWS Internal') = 'AWS Internal'
    AND (e.event_name NOT IN ('SendCommand', 'StartAutomationExecution')
        OR c.request ->> 'documentName'
            ~ 'AWS-(Run(Shell|PowerShell|Remote)Script|RunDocument|RunSaltState|ApplyAnsible)');
