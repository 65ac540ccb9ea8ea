-- id: iam_password_guessed
-- title: Sign-ins failed for many users from one address, or for one until it succeeded
-- severity: high
-- technique: T1110.001, T1110.003
-- do: Where a sign-in succeeded, disable the user's password and end its sessions. Block the
--   address.
SELECT
    s.source_ip_address AS resource,
    CASE WHEN bool_or(s.success) THEN 'alarm' ELSE 'info' END AS status,
    format(
        '%s failed sign-ins of %s users from %s; succeeded: %s',
        count(DISTINCT s.event_id) FILTER (WHERE NOT s.success),
        count(DISTINCT s.who) FILTER (WHERE NOT s.success), s.source_ip_address,
        COALESCE(string_agg(DISTINCT s.who, ', ') FILTER (WHERE s.success), 'none')
    ) AS reason,
    min(s.event_time) AS event_time,
    (array_agg(s.event_id ORDER BY s.event_time, s.event_id))[1] AS event_id,
    max(s.event_time) AS last_event_time,
    s.source_ip_address,
    s.recipient_account_id
FROM (
    SELECT
        e.source_ip_address, e.recipient_account_id, e.event_id, e.event_time,
        e.response_elements ->> 'ConsoleLogin' = 'Success' AS success,
        -- names of users that do not exist are hidden, and count as one
        COALESCE(e.user_arn, e.username, '(unknown)') AS who
    FROM cloudtrail_event e
    WHERE e."timestamp" >= check_since()
        AND e."timestamp" < check_until()
        AND e.event_source = 'signin.amazonaws.com'
        AND e.event_name = 'ConsoleLogin'
        AND e.response_elements ->> 'ConsoleLogin' IN ('Success', 'Failure')
        AND e.source_ip_address IS NOT NULL
) AS s
GROUP BY s.recipient_account_id, s.source_ip_address
HAVING count(DISTINCT s.who) FILTER (WHERE NOT s.success) >= 4
    OR count(DISTINCT s.event_id) FILTER (WHERE NOT s.success) >= 4
        AND bool_or(s.success)
        AND max(s.event_time) FILTER (WHERE s.success)
            > min(s.event_time) FILTER (WHERE NOT s.success);
