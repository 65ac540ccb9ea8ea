-- id: data_image_shared
-- title: A snapshot or image was shared with another account or with everybody
-- severity: high
-- technique: T1537
-- do: Take the permission back. Who has copied it meanwhile keeps the copy: treat what it holds
--   as known.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'snapshotId', c.request ->> 'imageId', c.request ->> 'dBSnapshotIdentifier',
        c.request ->> 'dBClusterSnapshotIdentifier', c.request ->> 'snapshotIdentifier', '(unknown)'
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, ': shared with ', s.accounts) AS reason,
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
CROSS JOIN LATERAL (
    SELECT string_agg(DISTINCT a.account #>> '{}', ', ')
    FROM jsonb_path_query(
        jsonb_build_array(
            jsonb_path_query_array(c.request, 'lax $.createVolumePermission.add.items[*].*'),
            jsonb_path_query_array(c.request, 'lax $.launchPermission.add.items[*].*'),
            -- the older form of the request
            CASE WHEN c.request ->> 'operationType' = 'add' THEN
                jsonb_path_query_array(c.request, 'lax $.*.items[*].*')
            END,
            CASE WHEN c.request ->> 'attributeName' = 'restore' THEN c.request -> 'valuesToAdd' END,
            c.request -> 'accountWithRestoreAccess'
        ),
        'lax $[*][*] ? (@.type() == "string")'
    ) AS a (account)
    WHERE a.account #>> '{}' <> e.recipient_account_id
) AS s (accounts)
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source IN (
        'ec2.amazonaws.com', 'rds.amazonaws.com', 'redshift.amazonaws.com'
    )
    AND e.event_name IN (
        'ModifySnapshotAttribute', 'ModifyImageAttribute', 'ModifyDBSnapshotAttribute',
        'ModifyDBClusterSnapshotAttribute', 'AuthorizeSnapshotAccess'
    )
    AND s.accounts IS NOT NULL;
