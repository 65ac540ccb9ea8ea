-- id: cis_kms_key_disabled_or_deleted
-- title: A KMS key was disabled or is to be deleted
-- severity: high
-- technique: T1485
-- do: Cancel it unless the key's owner asked: what the key encrypted cannot be read without it.
--   CIS 4.7. Attempts that failed are info.
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
    SELECT request_parameters ->> 'keyId'
) AS named (thing)
WHERE timestamp >= check_since()
    AND timestamp < check_until()
    AND event_source = 'kms.amazonaws.com'
    AND event_name IN (
        'DisableKey', 'ScheduleKeyDeletion'
    );
