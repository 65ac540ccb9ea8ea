-- id: iam_user_created
-- title: An IAM user was created
-- severity: low
-- technique: T1136.003
-- do: Long-term identities should be rare. Look at what was attached to it, and at its keys and
--   password.
SELECT DISTINCT
    COALESCE(c.request ->> 'userName', '(unknown)') AS resource,
    'info' AS status,
    concat(c.said, ': user ' || (c.request ->> 'userName')) AS reason,
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
    AND e.event_name = 'CreateUser'
    AND c.ok;
