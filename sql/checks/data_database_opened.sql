-- id: data_database_opened
-- title: A database was made public or its master password reset
-- severity: high
-- technique: T1190, T1098
-- do: Take it off the internet. A reset master password opens the database to whoever set it.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'dBInstanceIdentifier',
        c.request ->> 'dBClusterIdentifier',
        c.request ->> 'clusterIdentifier',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said,
        CASE
            WHEN c.request ->> 'publiclyAccessible' = 'true' THEN ': with a public address'
            ELSE ': with a new master password'
        END
    ) AS reason,
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
    AND e.event_source IN ('rds.amazonaws.com', 'redshift.amazonaws.com')
    AND e.event_name IN (
        'CreateDBInstance', 'ModifyDBInstance', 'ModifyDBCluster',
        'RestoreDBInstanceFromDBSnapshot', 'RestoreDBInstanceToPointInTime', 'CreateCluster',
        'ModifyCluster'
    )
    AND (c.request ->> 'publiclyAccessible' = 'true'
        OR e.event_name LIKE 'Modify%' AND c.request ? 'masterUserPassword');
