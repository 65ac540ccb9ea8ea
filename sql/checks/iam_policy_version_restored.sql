-- id: iam_policy_version_restored
-- title: An older version of a policy was made the default
-- severity: medium
-- technique: T1098.003
-- do: Compare the versions: old ones often allow more, and whoever may choose needs no right to
--   write policies.
SELECT DISTINCT
    COALESCE(c.request ->> 'policyArn', '(unknown)') AS resource,
    'info' AS status,
    concat(c.said, ': version ' || COALESCE(c.request ->> 'versionId', '?')) AS reason,
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
    AND e.event_name = 'SetDefaultPolicyVersion';
