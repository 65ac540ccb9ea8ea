-- id: data_bucket_opened
-- title: A bucket was opened to another account or to everybody
-- severity: high
-- technique: T1537, T1530
-- do: Take the principal out of the policy or ACL, block public access, and look at who read
--   what.
SELECT DISTINCT
    COALESCE(c.request ->> 'bucketName', '(unknown)') AS resource,
    CASE WHEN c.ok AND o.without_condition THEN 'alarm' ELSE 'info' END AS status,
    concat(
        c.said, ': it ',
        COALESCE('lets in ' || o.others, 'cannot be read'),
        CASE WHEN NOT o.without_condition THEN ' under a condition' END
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
CROSS JOIN LATERAL (SELECT try_jsonb(c.request #>> '{bucketPolicy}')) AS d (policy)
CROSS JOIN LATERAL (
    SELECT
        string_agg(DISTINCT p.name, ', ') AS others,
        bool_or(p.without_condition) AS without_condition
    FROM (
        SELECT q.principal #>> '{}', COALESCE(s.statement -> 'Condition', '{}') = '{}'
        FROM jsonb_path_query(d.policy, 'lax $.Statement[*] ? (@.Effect == "Allow")')
            AS s (statement)
        CROSS JOIN LATERAL jsonb_path_query(
            COALESCE(s.statement #> '{Principal,AWS}', s.statement -> 'Principal', '"*"'),
            'lax $[*] ? (@.type() == "string")'
        ) AS q (principal)
        UNION ALL
        -- AllUsers and AuthenticatedUsers (anybody with any account) are groups of these addresses
        SELECT DISTINCT g.name[1], true
        FROM regexp_matches(
            concat(
                c.request -> 'AccessControlPolicy', c.request -> 'x-amz-acl',
                c.request -> 'x-amz-grant-read', c.request -> 'x-amz-grant-write',
                c.request -> 'x-amz-grant-full-control'
            ),
            'global/AllUsers|global/AuthenticatedUsers'
            '|public-read-write|public-read|authenticated-read',
            'g'
        ) AS g (name)
    ) AS p (name, without_condition)
    WHERE p.name !~ '\d{12}'
        AND p.name !~ '^(AIDA|AROA|arn:aws[^:]*:iam::cloudfront:)'
        OR substring(p.name FROM '^(?:arn:aws[^:]*:[a-z]+::)?(\d{12})(?::|$)')
            <> e.recipient_account_id
) AS o
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.event_source = 's3.amazonaws.com'
    AND e.event_name IN (
        'PutBucketPolicy', 'PutBucketAcl', 'PutObjectAcl', 'CreateBucket'
    )
    AND (o.others IS NOT NULL
        OR e.event_name = 'PutBucketPolicy' AND c.ok AND d.policy IS NULL);
