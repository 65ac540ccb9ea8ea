-- id: where_claims_to_be_aws
-- title: Somebody passes for an AWS service
-- severity: high
-- technique: T1036
-- do: Whoever calls chooses user agent and session name: find out who has the credentials. From
--   an address of a customer on AWS, or one nobody has looked up, it is info.
SELECT DISTINCT ON (resource, source_ip_address)
    resource,
    CASE WHEN origin = 'internet' THEN 'alarm' ELSE 'info' END AS status,
    resource || ' says that it is ' || claim || ', but calls from ' || source_ip_address
        || CASE origin
            WHEN 'internet' THEN ', which is not AWS'
            WHEN 'aws_customer_ec2' THEN ', where customers of AWS are'
            ELSE ', which nobody has looked up: run cloudtrail-fdw data update'
        END AS reason,
    event_time, event_id, event_name, user_arn, source_ip_address, aws_region,
    recipient_account_id, user_agent
FROM (
    SELECT
        o.*,
        coalesce(o.user_arn, o.access_key_id, o.recipient_account_id, 'unknown') AS resource,
        CASE
            WHEN o.invoked_by LIKE '%.amazonaws.com' OR o.invoked_by = 'AWS Internal'
                THEN o.invoked_by
            -- the console's own agents come with the person's address
            WHEN o.user_agent ~ '^[a-z0-9.-]+[.]amazonaws[.]com$'
                AND o.user_agent !~ '(^|[.])(console|signin)[.]'
                OR o.user_agent = 'AWS Internal'
                OR o.user_agent LIKE 'aws-vpc-flow-logs%'
                THEN o.user_agent
            WHEN o.role_session_name LIKE 'vpc-flow-logging+%' THEN o.role_session_name
        END AS claim
    FROM cloudtrail_event_origin o
    WHERE o.timestamp >= check_since()
        AND o.timestamp < check_until()
        AND o.origin IN ('internet', 'aws_customer_ec2', 'unknown')
        AND o.source_ip_address ~ '^[0-9a-fA-F:.]+$'
) AS claimed
WHERE claim IS NOT NULL
ORDER BY resource, source_ip_address, event_time, event_id;
