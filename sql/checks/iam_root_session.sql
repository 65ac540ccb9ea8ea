-- id: iam_root_session
-- title: A session of a member account's root user was taken from outside it
-- severity: high
-- technique: T1078.004, T1548
-- do: AssumeRoot gives a member account's root rights for one task. Ask whose task it was.
SELECT DISTINCT
    COALESCE(c.request ->> 'targetPrincipal', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said,
        format(
            ': %s in account %s', COALESCE(c.request #>> '{taskPolicyArn,arn}', '(no task)'),
            COALESCE(c.request ->> 'targetPrincipal', '(unknown)')
        )
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
    AND e.event_source = 'sts.amazonaws.com'
    AND e.event_name = 'AssumeRoot';
