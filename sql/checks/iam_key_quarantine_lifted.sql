-- id: iam_key_quarantine_lifted
-- title: AWS put a leaked key under quarantine, or somebody lifted it
-- severity: critical
-- technique: T1552.001, T1098
-- do: AWS found the key in public: deactivate it, rotate it, and review what it did. Do not
--   detach the policy before.
SELECT DISTINCT
    COALESCE(c.request ->> 'userName', '(unknown)') AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': a key of this user was found in public') AS reason,
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
    AND e.event_name IN (
        'AttachUserPolicy', 'PutUserPolicy', 'DetachUserPolicy', 'DeleteUserPolicy'
    )
    AND concat(c.request ->> 'policyArn', c.request ->> 'policyName')
        LIKE '%AWSCompromisedKeyQuarantine%';
