-- id: where_key_from_new_country
-- title: An access key is used from a country that is new for its user
-- severity: high
-- technique: T1078.004, T1552
-- do: Ask the user, and deactivate the key if they are not there. Compared with the calls of the
--   14 days before, which are read too. Refused calls count: they need the key as well.
SELECT
    user_arn AS resource,
    'alarm' AS status,
    user_arn || ' used key ' || access_key_id || ' from ' || country_name || ' ('
        || source_ip_address || ') for the first time in 14 days, before that from '
        || earlier_country AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region,
    recipient_account_id, access_key_id, country_code
FROM (
    SELECT
        e.timestamp, e.event_time, e.event_id, e.event_name, e.user_arn, e.source_ip_address,
        e.aws_region, e.recipient_account_id, e.access_key_id, i.country_code, i.country_name,
        row_number() OVER (
            PARTITION BY e.user_arn, i.country_code ORDER BY e.event_time, e.event_id
        ) AS nth_there,
        -- without the group, a second delivery is nothing earlier
        last_value(i.country_name) OVER (
            PARTITION BY e.user_arn ORDER BY e.event_time
            RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP
        ) AS earlier_country
    FROM cloudtrail_event e
    JOIN ip_enrichment i ON i.ip = e.source_ip_address
    WHERE e.timestamp >= check_since() - interval '14 days'
        AND e.timestamp < check_until()
        AND e.user_type = 'IAMUser'
        -- keys of users; temporary ones begin with ASIA
        AND e.access_key_id LIKE 'AKIA%'
        AND e.user_arn IS NOT NULL
        AND e.source_address_class = 'public'
        -- a machine on AWS moves with its Region
        AND i.is_aws IS NOT TRUE
        AND i.country_code IS NOT NULL
) AS used
WHERE nth_there = 1
    AND earlier_country IS NOT NULL
    AND timestamp >= check_since();
