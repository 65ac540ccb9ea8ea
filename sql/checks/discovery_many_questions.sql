-- id: discovery_many_questions
-- title: One identity asked very many different things within an hour
-- severity: low
-- technique: T1580, T1526, T1087.004
-- do: Inventories, consoles and Terraform do so too: know yours, and look at any other.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'info' AS status,
    format(
        '%s asked %s different questions of %s services',
        COALESCE(e.user_identifier, 'somebody'), count(DISTINCT (e.event_source, e.event_name)),
        count(DISTINCT e.event_source)
    ) AS reason,
    min(e.event_time) AS event_time,
    (array_agg(e.event_id ORDER BY e.event_time, e.event_id))[1] AS event_id,
    max(e.event_time) AS last_event_time,
    e.user_identifier AS user_arn,
    string_agg(DISTINCT e.source_ip_address, ', ') AS source_ip_address,
    string_agg(DISTINCT e.aws_region, ', ') AS aws_region,
    e.recipient_account_id
FROM cloudtrail_event e
WHERE e."timestamp" >= check_since()
    AND e."timestamp" < check_until()
    AND e.read_only
    AND (e.event_name LIKE 'List%' OR e.event_name LIKE 'Describe%' OR e.event_name LIKE 'Get%')
    AND e.invoked_by IS NULL
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT (e.event_source, e.event_name)) >= 20
    AND count(DISTINCT e.event_source) >= 6;
