-- Events as people ask for them: each once, sign-ins, places on a map.

-- The key of DISTINCT ON is the message and, for the planner, every column of it that AWS can be
-- asked for: only conditions on those may be moved below it.
CREATE OR REPLACE VIEW @extschema@.cloudtrail_event_distinct AS
SELECT DISTINCT ON (
    e.event_time, e.log_group_name, e.event_id, e.event_name, e.event_source, e.event_type,
    e.event_category, e.event_version, e.api_version, e.aws_region, e.recipient_account_id,
    e.request_id, e.shared_event_id, e.read_only, e.management_event, e.error_code,
    e.error_message, e.user_agent, e.vpc_endpoint_id, e.vpc_endpoint_account_id,
    e.session_credential_from_console, e.user_type, e.username, e.user_arn, e.principal_id,
    e.user_account_id, e.access_key_id, e.invoked_by, e.invoked_by_delegate,
    e.identity_provider, e.federated_provider, e.on_behalf_of_user_id, e.credential_id,
    e.source_identity, e.session_issuer_type, e.session_issuer_arn, e.session_issuer_name,
    e.mfa_authenticated, e.ec2_role_delivery, e.assumed_root, e.source_ip_address, e.filter,
    e.message
) e.*
FROM @extschema@.cloudtrail_event e
ORDER BY
    e.event_time, e.log_group_name, e.event_id, e.event_name, e.event_source, e.event_type,
    e.event_category, e.event_version, e.api_version, e.aws_region, e.recipient_account_id,
    e.request_id, e.shared_event_id, e.read_only, e.management_event, e.error_code,
    e.error_message, e.user_agent, e.vpc_endpoint_id, e.vpc_endpoint_account_id,
    e.session_credential_from_console, e.user_type, e.username, e.user_arn, e.principal_id,
    e.user_account_id, e.access_key_id, e.invoked_by, e.invoked_by_delegate,
    e.identity_provider, e.federated_provider, e.on_behalf_of_user_id, e.credential_id,
    e.source_identity, e.session_issuer_type, e.session_issuer_arn, e.session_issuer_name,
    e.mfa_authenticated, e.ec2_role_delivery, e.assumed_root, e.source_ip_address, e.filter,
    e.message,
    e."timestamp", e.log_event_id;

COMMENT ON VIEW @extschema@.cloudtrail_event_distinct
IS 'cloudtrail_event with one row, the first delivered, for equal messages of one log group.';

CREATE OR REPLACE VIEW @extschema@.cloudtrail_sign_in AS
SELECT
    e.event_time,
    e.event_id,
    e.event_name,
    e.aws_region,
    e.recipient_account_id,
    e.user_type,
    COALESCE(e.username, e.session_issuer_name) AS username,
    e.user_arn,
    -- Identity Center: arn is absent or empty, and newer records have an id in place of the name
    COALESCE(
        NULLIF(e.user_arn, ''), e.additional_event_data ->> 'UserName', NULLIF(e.username, ''),
        e.on_behalf_of_user_id
    ) AS who,
    -- no errorCode tells a failed ConsoleLogin: the response does
    CASE
        WHEN r.result IS NOT NULL THEN r.result = 'Success'
        WHEN COALESCE(e.error_code, e.error_message) IS NOT NULL THEN false
    END AS success,
    e.error_message,
    -- IAM knows nothing of what an identity provider asked for, and says No
    CASE
        WHEN e.additional_event_data ->> 'MFAUsed' = 'Yes' THEN true
        WHEN e.additional_event_data ->> 'MFAUsed' = 'No' AND e.user_type IN ('IAMUser', 'Root')
            THEN false
    END AS mfa_used,
    e.additional_event_data ->> 'MFAIdentifier' AS mfa_identifier,
    e.additional_event_data ->> 'SwitchFrom' AS switch_from,
    e.additional_event_data ->> 'LoginTo' AS login_to,
    e.source_ip_address,
    e.source_ip,
    e.source_address_class,
    e.user_agent,
    e.log_group_name,
    e."timestamp"
FROM @extschema@.cloudtrail_event e
CROSS JOIN LATERAL (
    SELECT COALESCE(
        e.response_elements ->> e.event_name, e.service_event_details ->> e.event_name
    )
) AS r (result)
WHERE e.event_source = 'signin.amazonaws.com'
    AND e.event_name IN ('ConsoleLogin', 'SwitchRole', 'UserAuthentication');

COMMENT ON VIEW @extschema@.cloudtrail_sign_in
IS 'Sign-ins to the console, role switches and sign-ins of IAM Identity Center, failed ones too.';
COMMENT ON COLUMN @extschema@.cloudtrail_sign_in.username
IS 'As recorded: HIDDEN_DUE_TO_SECURITY_REASONS where no such user exists.';
COMMENT ON COLUMN @extschema@.cloudtrail_sign_in.who
IS 'ARN, else name, else the id of the Identity Center user.';
COMMENT ON COLUMN @extschema@.cloudtrail_sign_in.success
IS 'By the response, not by error_code, which a failed ConsoleLogin lacks; NULL when the record does not say.';
COMMENT ON COLUMN @extschema@.cloudtrail_sign_in.mfa_used
IS 'Of IAM users and root; NULL where AWS cannot know, as for federated users and role switches.';
COMMENT ON COLUMN @extschema@.cloudtrail_sign_in.switch_from
IS 'Who switched to the role.';

CREATE OR REPLACE VIEW @extschema@.cloudtrail_event_geo AS
SELECT
    e.log_group_name,
    e."timestamp",
    e.event_time,
    e.event_id,
    e.event_name,
    e.event_source,
    e.aws_region,
    e.recipient_account_id,
    e.read_only,
    e.error_code,
    e.user_type,
    e.user_identifier,
    e.user_agent,
    e.source_ip_address,
    e.source_address_class,
    i.continent_code,
    i.continent_name,
    i.country_code,
    i.country_name,
    i.region_name,
    i.city,
    i.latitude,
    i.longitude,
    i.asn,
    i.as_organization,
    i.aws_range_class,
    i.geo_database
FROM @extschema@.cloudtrail_event e
LEFT JOIN @extschema@.ip_enrichment i ON i.ip = e.source_ip_address;

COMMENT ON VIEW @extschema@.cloudtrail_event_geo
IS 'Each event with the place of its source, for maps and dashboards; latitude is NULL without one.';

GRANT SELECT ON @extschema@.cloudtrail_event_distinct TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_sign_in TO @reader@;
GRANT SELECT ON @extschema@.cloudtrail_event_geo TO @reader@;
