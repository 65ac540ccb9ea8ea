-- id: iam_password_policy_weakened
-- title: The password policy was deleted or made weaker
-- severity: low
-- technique: T1556
-- do: Compare with how it should be.
SELECT DISTINCT
    concat('account ', e.recipient_account_id) AS resource,
    'info' AS status,
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
    AND e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN (
        'DeleteAccountPasswordPolicy', 'UpdateAccountPasswordPolicy'
    )
    AND c.ok
    AND (e.event_name = 'DeleteAccountPasswordPolicy'
        OR COALESCE(c.request ->> 'minimumPasswordLength', '6') !~ '^(1[4-9]|[2-9]\d|1\d\d)'
        OR 'false' = ANY (ARRAY[
            COALESCE(c.request ->> 'requireNumbers', 'false'),
            COALESCE(c.request ->> 'requireSymbols', 'false'),
            COALESCE(c.request ->> 'requireLowercaseCharacters', 'false'),
            COALESCE(c.request ->> 'requireUppercaseCharacters', 'false')
        ]));
