-- id: where_instance_credentials_elsewhere
-- title: The credentials of an instance are used somewhere else
-- severity: critical
-- technique: T1552.005, T1078.004
-- do: Revoke the role's sessions, isolate the instance, and look at what the address did. An
--   address that only the bundled sample of AWS's ranges was asked about is info, as is one in
--   another Region of AWS; instances that leave through your own data centre are to be suppressed.
SELECT DISTINCT ON (resource, source_ip_address)
    resource,
    CASE WHEN is_aws IS FALSE THEN 'alarm' ELSE 'info' END AS status,
    resource || ' was used at ' || source_ip_address
        || CASE
            WHEN is_aws THEN ', in Region ' || address_region || ' of AWS, after ' || first_region
            WHEN is_aws IS FALSE THEN ', which is not AWS'
            ELSE ', and nobody can say whether that is AWS: run cloudtrail-fdw data update'
        END
        || coalesce(' (' || as_organization || ')', '') AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region,
    recipient_account_id, access_key_id, as_organization
FROM (
    SELECT
        coalesce(e.user_identifier, e.access_key_id, 'unknown') AS resource,
        e.event_time, e.event_id, e.event_name, e.user_arn, e.source_ip_address, e.aws_region,
        e.recipient_account_id, e.access_key_id, i.as_organization, i.is_aws,
        i.aws_region AS address_region,
        first_value(i.aws_region) OVER (
            PARTITION BY e.access_key_id, i.is_aws ORDER BY e.event_time, e.event_id
        ) AS first_region
    FROM cloudtrail_event e
    JOIN ip_enrichment i ON i.ip = e.source_ip_address
    WHERE e.timestamp >= check_since()
        AND e.timestamp < check_until()
        AND e.user_type = 'AssumedRole'
        -- the instance metadata service's, or a session named after an instance
        AND (
            e.ec2_role_delivery IS NOT NULL
            OR e.role_session_name ~ '^i-[0-9a-f]{8}([0-9a-f]{9})?$'
        )
        AND e.source_address_class = 'public'
) AS used
WHERE is_aws IS NOT TRUE
    OR address_region <> first_region
ORDER BY resource, source_ip_address, event_time, event_id;
