-- id: iam_roles_anywhere_anchor
-- title: Roles Anywhere trusts a new certificate authority or profile
-- severity: high
-- technique: T1098.001, T1136.003
-- do: Whoever has the authority's key gets credentials of the roles for good. Delete trust
--   anchors and profiles that are not yours.
SELECT DISTINCT
    COALESCE(
        c.request ->> 'name', c.request ->> 'trustAnchorId', c.request ->> 'profileId',
        concat('account ', e.recipient_account_id)
    ) AS resource,
    CASE WHEN c.ok THEN 'alarm' ELSE 'info' END AS status,
    concat(c.said, COALESCE(': roles ' || (c.request ->> 'roleArns'), '')) AS reason,
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
    AND e.event_source = 'rolesanywhere.amazonaws.com'
    AND e.event_name IN (
        'CreateTrustAnchor', 'UpdateTrustAnchor', 'EnableTrustAnchor', 'CreateProfile',
        'UpdateProfile'
    );
