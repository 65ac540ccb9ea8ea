-- Which filter pattern alerts on everything but AWS's own automatic calls?
-- One CloudWatch Logs pattern that matches all events except the kinds of automatic call that the
-- window holds, as exactly as is_aws_automatic judged them: services in preferred first, then the
-- most frequent, as many as fit into 1,024 characters. What is left over, or new, alerts.
WITH asked AS NOT MATERIALIZED (
    SELECT
        ARRAY['VPC Flow Logs', 'CloudTrail'] AS preferred,
        timestamptz '2026-11-20 00:00+00' AS since,
        timestamptz '2026-11-21 00:00+00' AS until
),
kind AS (
    SELECT
        o.automatic_service AS service, COALESCE(o.user_type, '') AS user_type, count(*) AS events,
        '(' || concat_ws(
            ' || ',
            '$.eventSource != "' || o.event_source || '"',
            (SELECT string_agg(DISTINCT '$.eventName != "' || n.name || '"', ' && ')
             FROM unnest(array_agg(o.event_name)) AS n (name)),
            -- an address is AWS's own as of today's ip-ranges.json, so none but those seen
            (SELECT string_agg(DISTINCT '$.sourceIPAddress != "' || n.ip || '"', ' && ')
             FROM unnest(array_agg(o.source_ip_address)) AS n (ip)),
            '$.userIdentity.invokedBy != "' || c.principal
                || '" || $.userIdentity.invokedBy NOT EXISTS',
            CASE WHEN o.user_type IS NULL THEN '$.userIdentity.arn = "*"' END,
            CASE WHEN o.user_type = 'AssumedRole' THEN
                '$.userIdentity.accountId != "' || o.user_account_id
                || '" || $.userIdentity.accountId NOT EXISTS || ' || r.member || ' != "' || r.arn
                || '" || ' || r.member || ' NOT EXISTS'
            END,
            '$.userAgent != "' || c.user_agent || '*" || $.userAgent NOT EXISTS'
        ) || ')' AS unless
    FROM asked a
    JOIN cloudtrail_event_origin o ON o.event_time >= a.since AND o.event_time < a.until
    JOIN cloudtrail_automatic_caller c
        ON c.service = o.automatic_service
        AND c.principal IS NOT DISTINCT FROM o.invoked_by
        AND COALESCE(c.event_source, o.event_source) = o.event_source
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN c.principal IS NULL THEN '$.userIdentity.arn'
                 ELSE '$.userIdentity.sessionContext.sessionIssuer.arn' END,
            CASE WHEN c.principal IS NULL THEN o.user_arn ELSE o.session_issuer_arn END
    ) AS r (member, arn)
    WHERE o.is_aws_automatic
    GROUP BY
        o.automatic_service, o.user_type, o.event_source, o.user_account_id, c.principal,
        c.user_agent, r.member, r.arn
),
chosen AS (
    SELECT
        k.*,
        -- 344 characters are the pattern without any kind
        sum(length(k.unless) + 4) OVER (
            ORDER BY k.service = ANY (a.preferred) DESC, k.events DESC, k.unless
        ) <= 1024 - 344 AS fits
    FROM kind k
    CROSS JOIN asked a
),
pattern AS (
    SELECT
        -- != is not true of what is absent or null
        '{ $.eventSource NOT EXISTS || $.eventName NOT EXISTS || $.sourceIPAddress NOT EXISTS'
        || ' || $.sourceIPAddress IS NULL || $.userIdentity.type IS NULL'
        || ' || ($.userIdentity.type != "AWSService" && $.userIdentity.type != "AssumedRole") || '
        || concat_ws(
            ' && ',
            '($.userIdentity.type NOT EXISTS',
            string_agg(c.unless, ' && ') FILTER (WHERE c.user_type = '')
        ) || ') || ' || concat_ws(
            ' && ',
            '($.userIdentity.type = "AWSService"',
            string_agg(c.unless, ' && ') FILTER (WHERE c.user_type = 'AWSService')
        ) || ') || ' || concat_ws(
            ' && ',
            '($.userIdentity.type = "AssumedRole"',
            string_agg(c.unless, ' && ') FILTER (WHERE c.user_type = 'AssumedRole')
        ) || ') }' AS filter_pattern
    FROM chosen c
    WHERE c.fits
)
SELECT
    p.filter_pattern, length(p.filter_pattern) AS characters,
    sum(c.events) FILTER (WHERE c.fits) AS events_ignored,
    array_agg(DISTINCT c.service) FILTER (WHERE c.fits) AS ignored,
    sum(c.events) FILTER (WHERE NOT c.fits) AS events_left_over,
    array_agg(DISTINCT c.service) FILTER (WHERE NOT c.fits) AS left_over
FROM pattern p
LEFT JOIN chosen c ON true
GROUP BY p.filter_pattern;
