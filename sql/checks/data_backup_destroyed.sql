-- id: data_backup_destroyed
-- title: Backups were deleted or their making ended
-- severity: high
-- technique: T1490, T1485
-- do: Find out what is left to restore from, and stop the identity before the originals go.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'backupVaultName',
        c.request ->> 'dBInstanceIdentifier',
        c.request ->> 'dBClusterIdentifier',
        c.request ->> 'dBSnapshotIdentifier',
        c.request ->> 'dBClusterSnapshotIdentifier',
        c.request ->> 'tableName',
        c.request ->> 'backupArn',
        c.request ->> 'backupPlanId',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
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
    AND e.event_source IN ('backup.amazonaws.com', 'rds.amazonaws.com', 'dynamodb.amazonaws.com')
    AND e.event_name IN (
        'DeleteBackupVault', 'DeleteRecoveryPoint', 'DeleteBackupPlan', 'DeleteBackupSelection',
        'DeleteBackupVaultLockConfiguration', 'StopBackupJob', 'DeleteDBSnapshot',
        'DeleteDBClusterSnapshot', 'DeleteDBInstanceAutomatedBackup',
        'DeleteDBClusterAutomatedBackup', 'DeleteDBInstance', 'DeleteDBCluster',
        'ModifyDBInstance', 'ModifyDBCluster', 'DeleteBackup', 'UpdateContinuousBackups'
    )
    AND (e.event_name NOT LIKE 'DeleteDB%' OR e.event_name LIKE '%Snapshot'
        OR e.event_name LIKE '%Backup' OR c.request ->> 'skipFinalSnapshot' = 'true')
    AND (e.event_name NOT LIKE 'ModifyDB%' OR c.request ->> 'backupRetentionPeriod' ~ '^0(\.0*)?$')
    AND (e.event_name <> 'UpdateContinuousBackups'
        OR c.request #>> '{pointInTimeRecoverySpecification,pointInTimeRecoveryEnabled}' = 'false');
