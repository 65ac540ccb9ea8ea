-- id: where_impossible_travel
-- title: Somebody was in two distant places at once
-- severity: high
-- technique: T1078.004, T1539
-- do: Ask which of the two places they were in, and end the sessions and keys of the other. Faster
--   than 900 km/h over more than 500 km, looking back 12 hours; addresses of AWS do not count.
SELECT DISTINCT ON (user_identifier, source_ip_address)
    user_identifier AS resource,
    'alarm' AS status,
    user_identifier || ' was at ' || earlier_address || ' (' || earlier_place || ') and '
        || round(extract(epoch FROM event_time - earlier_time)::numeric / 60) || ' minutes later '
        || round(km::numeric) || ' km away at ' || source_ip_address || ' (' || place || ')' AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region,
    recipient_account_id, earlier_address
FROM (
    SELECT
        used.*,
        -- haversine, on a globe of 6,371 km
        2 * 6371 * asin(least(1, sqrt(
            power(sin(radians(latitude - earlier_latitude) / 2), 2)
            + cos(radians(latitude)) * cos(radians(earlier_latitude))
            * power(sin(radians(longitude - earlier_longitude) / 2), 2)
        ))) AS km
    FROM (
        SELECT
            e.timestamp, e.event_time, e.event_id, e.event_name, e.user_identifier, e.user_arn,
            e.source_ip_address, e.aws_region, e.recipient_account_id,
            concat_ws(', ', i.city, i.country_name) AS place,
            i.latitude,
            i.longitude,
            lag(concat_ws(', ', i.city, i.country_name)) OVER before AS earlier_place,
            lag(i.latitude) OVER before AS earlier_latitude,
            lag(i.longitude) OVER before AS earlier_longitude,
            lag(e.source_ip_address) OVER before AS earlier_address,
            lag(e.event_time) OVER before AS earlier_time
        FROM cloudtrail_event e
        JOIN ip_enrichment i ON i.ip = e.source_ip_address
        WHERE e.timestamp >= check_since() - interval '12 hours'
            AND e.timestamp < check_until()
            AND e.user_type IN ('IAMUser', 'Root', 'AssumedRole', 'FederatedUser', 'IdentityCenterUser')
            AND e.source_address_class = 'public'
            AND i.is_aws IS NOT TRUE
            AND i.latitude IS NOT NULL
            -- anybody can fail to sign in as somebody else
            AND e.response_elements ->> 'ConsoleLogin' IS DISTINCT FROM 'Failure'
        WINDOW before AS (PARTITION BY e.user_identifier ORDER BY e.event_time, e.event_id)
    ) AS used
) AS travelled
WHERE timestamp >= check_since()
    AND user_identifier IS NOT NULL
    AND km > 500
    AND km > 900 * extract(epoch FROM event_time - earlier_time) / 3600
ORDER BY user_identifier, source_ip_address, event_time, event_id;
