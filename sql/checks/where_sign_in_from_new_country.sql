-- id: where_sign_in_from_new_country
-- title: Somebody signed in from a country that is new for them
-- severity: medium
-- technique: T1078.004
-- do: Ask the person, by another way than e-mail. Compared with the sign-ins of the 30 days before,
--   which are read too; a person's very first sign-in is no finding.
SELECT
    who AS resource,
    'alarm' AS status,
    who || ' signed in from ' || country_name || ' (' || source_ip_address || ') for the first time'
        || ' in 30 days, before that from ' || earlier_country AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region,
    recipient_account_id, country_code
FROM (
    SELECT
        s.who, s.timestamp, s.event_time, s.event_id, s.event_name, s.user_arn,
        s.source_ip_address, s.aws_region, s.recipient_account_id, i.country_code, i.country_name,
        row_number() OVER (
            PARTITION BY s.who, i.country_code ORDER BY s.event_time, s.event_id
        ) AS nth_there,
        -- without the group, a second delivery is nothing earlier
        last_value(i.country_name) OVER (
            PARTITION BY s.who ORDER BY s.event_time
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP
        ) AS earlier_country
    FROM cloudtrail_sign_in s
    JOIN ip_enrichment i ON i.ip = s.source_ip_address
    WHERE s.timestamp >= check_since() - interval '30 days'
        AND s.timestamp < check_until()
        AND s.event_name IN ('ConsoleLogin', 'UserAuthentication')
        AND s.success
        AND s.who IS NOT NULL
        AND i.country_code IS NOT NULL
) AS sign_in
WHERE nth_there = 1
    AND earlier_country IS NOT NULL
    AND timestamp >= check_since();
