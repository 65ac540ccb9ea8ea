-- id: cis_iam_policy_changed
-- title: An IAM policy was changed
-- severity: low
-- technique: T1098.003
-- do: Compare with what was announced: a policy decides what everybody else may do. CIS 4.4.
--   Attempts that failed are info.
SELECT DISTINCT
    coalesce(named.thing, recipient_account_id, 'unknown') AS resource,
    CASE WHEN error_code IS NULL OR error_code = '200' THEN 'alarm' ELSE 'info' END AS status,
    coalesce(user_identifier, source_ip_address, 'somebody')
        || CASE
            WHEN error_code IS NULL OR error_code = '200' THEN ' called '
            ELSE ' failed (' || error_code || ') to call '
        END
        || event_name || coalesce(' on ' || named.thing, '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region, recipient_account_id
FROM cloudtrail_event
CROSS JOIN LATERAL (
    SELECT coalesce(
        request_parameters ->> 'policyArn', request_parameters ->> 'policyName',
        request_parameters ->> 'roleName', request_parameters ->> 'userName',
        request_parameters ->> 'groupName'
    )
) AS named (thing)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_source = 'iam.amazonaws.com'
    AND event_name IN (
        'AttachGroupPolicy', 'AttachRolePolicy', 'AttachUserPolicy', 'CreatePolicy',
        'CreatePolicyVersion', 'DeleteGroupPolicy', 'DeletePolicy', 'DeletePolicyVersion',
        'DeleteRolePolicy', 'DeleteUserPolicy', 'DetachGroupPolicy', 'DetachRolePolicy',
        'DetachUserPolicy', 'PutGroupPolicy', 'PutRolePolicy', 'PutUserPolicy',
        'SetDefaultPolicyVersion'
    );
