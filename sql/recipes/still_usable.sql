-- Which credentials that were issued in the window can still be used?
-- Sessions that AWS services took for themselves are left out. Revocation by a deny policy on a
-- role does not show here.
WITH asked AS (
    SELECT
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-20 20:00+00' AS until -- the moment in question
),
latest AS (
    SELECT DISTINCT ON (kind, credential)
        c.kind,
        CASE c.kind
            WHEN 'access key' THEN COALESCE(
                e.response_elements -> 'accessKey' ->> 'accessKeyId',
                e.request_parameters ->> 'accessKeyId'
            )
            WHEN 'password' THEN COALESCE(e.request_parameters ->> 'userName', e.username)
            ELSE e.response_elements -> 'credentials' ->> 'accessKeyId'
        END AS credential,
        e.event_time, e.event_name, e.request_parameters, e.user_identifier, e.source_ip_address,
        COALESCE(
            e.response_elements -> 'assumedRoleUser' ->> 'arn',
            e.response_elements -> 'federatedUser' ->> 'arn',
            e.request_parameters ->> 'userName', e.username
        ) AS of_whom,
        -- some write a narrow no-break space before PM
        regexp_replace(
            e.response_elements -> 'credentials' ->> 'expiration', '[^0-9A-Za-z:,]+', ' ', 'g'
        ) AS expiration,
        a.until
    FROM asked a
    JOIN cloudtrail_event_distinct e ON e.event_time >= a.since AND e.event_time < a.until
    CROSS JOIN LATERAL (
        SELECT
            CASE
                WHEN e.event_name LIKE '%AccessKey' THEN 'access key'
                WHEN e.event_name LIKE '%LoginProfile' THEN 'password'
                ELSE 'session'
            END
    ) AS c (kind)
    WHERE e.event_source IN ('iam.amazonaws.com', 'sts.amazonaws.com')
        AND e.event_name IN (
            'AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity', 'AssumeRoot',
            'CreateAccessKey', 'CreateLoginProfile', 'DeleteAccessKey', 'DeleteLoginProfile',
            'GetFederationToken', 'GetSessionToken', 'UpdateAccessKey', 'UpdateLoginProfile'
        )
        AND COALESCE(e.error_code, '200') = '200'
        AND e.user_type IS DISTINCT FROM 'AWSService'
    ORDER BY kind, credential, e.event_time DESC, e.event_name DESC
)
SELECT l.kind, l.credential, l.of_whom, l.event_time, l.event_name, x.expires_at,
    l.user_identifier AS by_whom, l.source_ip_address
FROM latest l
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN l.expiration ~ '^[A-Z][a-z]{2} \d{1,2}, \d{4},? \d{1,2}:\d\d:\d\d [AP]M$'
                THEN (l.expiration || ' UTC')::timestamptz
        END
) AS x (expires_at)
WHERE l.event_name NOT LIKE 'Delete%'
    AND l.request_parameters ->> 'status' IS DISTINCT FROM 'Inactive'
    AND (x.expires_at IS NULL OR x.expires_at > l.until)
ORDER BY l.event_time;
