-- id: cis_organization_changed
-- title: The organization was changed
-- severity: medium
-- technique: T1484
-- do: Check with the owner of the management account: policies and membership decide for all
--   accounts. CIS 4.15. Attempts that failed are info.
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
        request_parameters ->> 'accountId', request_parameters ->> 'policyId',
        request_parameters ->> 'targetId', request_parameters ->> 'handshakeId'
    )
) AS named (thing)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_source = 'organizations.amazonaws.com'
    AND event_name IN (
        'AcceptHandshake', 'AttachPolicy', 'CloseAccount', 'CreateAccount', 'CreateOrganization',
        'CreateOrganizationalUnit', 'CreatePolicy', 'DeclineHandshake', 'DeleteOrganization',
        'DeleteOrganizationalUnit', 'DeletePolicy', 'DeregisterDelegatedAdministrator',
        'DetachPolicy', 'DisablePolicyType', 'EnablePolicyType', 'InviteAccountToOrganization',
        'LeaveOrganization', 'MoveAccount', 'PutResourcePolicy', 'RegisterDelegatedAdministrator',
        'RemoveAccountFromOrganization', 'UpdateOrganizationalUnit', 'UpdatePolicy'
    );
