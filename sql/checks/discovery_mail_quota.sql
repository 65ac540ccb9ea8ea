-- id: discovery_mail_quota
-- title: Somebody asked how much mail the account may send
-- severity: medium
-- technique: T1526, T1496
-- do: Thieves of keys look for accounts to send from. Ask the identity; look for new identities
--   of SES.
SELECT
    COALESCE(e.user_identifier, '(unknown)') AS resource,
    'alarm' AS status,
    format(
        '%s called %s', COALESCE(e.user_identifier, 'somebody'),
        string_agg(DISTINCT e.event_name, ', ')
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
    AND e.event_source = 'ses.amazonaws.com'
    AND e.event_name IN (
        'GetSendQuota', 'GetSendStatistics', 'GetAccount', 'GetAccountSendingEnabled',
        'ListIdentities', 'ListEmailIdentities', 'PutAccountDetails',
        'UpdateAccountSendingEnabled', 'VerifyEmailIdentity', 'CreateEmailIdentity'
    )
    AND e.access_key_id LIKE 'AKIA%'
GROUP BY
    e.recipient_account_id, e.user_identifier, date_trunc('hour', e.event_time, 'UTC')
HAVING count(DISTINCT e.event_name) >= 2;
