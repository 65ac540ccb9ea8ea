-- id: iam_group_joined
-- title: A user was put into a group by itself or into one of administrators
-- severity: medium
-- technique: T1098.003
-- do: Ask who gave the rights. A user that joins a group on its own had more rights than it
--   should.
SELECT DISTINCT
    COALESCE(c.request ->> 'userName', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said,
        format(': user %s, group %s', c.request ->> 'userName', c.request ->> 'groupName')
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
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name = 'AddUserToGroup'
    AND (e.user_type = 'IAMUser' AND e.username = c.request ->> 'userName'
        OR c.request ->> 'groupName' ~* 'admin|root|security');
