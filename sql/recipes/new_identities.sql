-- Which keys, users and roles were created or given rights?
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
)
SELECT
    e.event_time, e.event_name,
    COALESCE(e.error_code, '200') = '200' AS success,
    COALESCE(e.request_parameters ->> 'userName', e.request_parameters ->> 'roleName',
             e.request_parameters ->> 'groupName') AS given_to,
    e.response_elements -> 'accessKey' ->> 'accessKeyId' AS new_access_key_id,
    COALESCE(e.request_parameters ->> 'policyArn', e.request_parameters ->> 'policyName') AS policy,
    e.user_identifier AS by_whom, e.source_ip_address, e.error_message
FROM asked a
JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
WHERE e.event_source = 'iam.amazonaws.com'
    AND e.event_name IN (
        'AddUserToGroup', 'AttachGroupPolicy', 'AttachRolePolicy', 'AttachUserPolicy',
        'CreateAccessKey', 'CreateLoginProfile', 'CreateOpenIDConnectProvider',
        'CreatePolicyVersion', 'CreateRole', 'CreateSAMLProvider',
        'CreateServiceSpecificCredential', 'CreateUser', 'PutGroupPolicy', 'PutRolePolicy',
        'PutUserPolicy', 'SetDefaultPolicyVersion', 'UpdateAccessKey',
        'UpdateAssumeRolePolicy', 'UpdateLoginProfile', 'UploadSigningCertificate'
    )
ORDER BY e.event_time;
