-- id: iam_password_for_another
-- title: A console password was set for another user
-- severity: medium
-- technique: T1098, T1136.003
-- do: Ask both. A password where there was none lets whoever knows it into the console: look at
--   the sign-ins of that user.
SELECT DISTINCT
    COALESCE(c.request ->> 'userName', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': a password of user ' || (c.request ->> 'userName')) AS reason,
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
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN ('CreateLoginProfile', 'UpdateLoginProfile')
    AND c.request ->> 'userName' IS NOT NULL
    AND (e.user_type = 'IAMUser' AND e.username = c.request ->> 'userName') IS NOT TRUE;
