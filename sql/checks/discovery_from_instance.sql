-- id: discovery_from_instance
-- title: An instance's role asked what it may do and who is there
-- severity: high
-- technique: T1087.004, T1526, T1580, T1619
-- do: Programs on instances know what they are for; somebody with a shell asks. Isolate the
--   instance and end the role's sessions.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s asked %s', COALESCE(e.user_identifier, 'somebody'),
        string_agg(DISTINCT e.event_name, ', ')
    ) AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_identifier AS user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id
FROM cloudtrail_event e
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.user_type = 'AssumedRole'
    AND e.role_session_name ~ '^m?i-[0-9a-f]{8,17}$'
    AND e.event_name IN (
        'GetCallerIdentity', 'GetAccountSummary', 'GetAccountAuthorizationDetails', 'ListRoles',
        'ListUsers', 'ListGroups', 'ListAccessKeys', 'ListAttachedRolePolicies', 'ListBuckets',
        'ListSecrets', 'ListFunctions20150331', 'ListHostedZones', 'DescribeOrganization',
        'DescribeDBInstances', 'DescribeSnapshots', 'DescribeTrails', 'GetSendQuota',
        'ListIdentities', 'ListServiceQuotas', 'SimulatePrincipalPolicy'
    )
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT e.event_name) >= 3;
