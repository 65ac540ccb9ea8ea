"""Names and types of the columns that the views of the schema steampipe have."""

from __future__ import annotations

TIME = "timestamp with time zone"
EVERY = {"sp_connection_name": "text", "sp_ctx": "jsonb", "_ctx": "jsonb"}
STATUS = {"status": "text"}  # ours: why there is no answer
AWS = {"partition": "text", "region": "text", "account_id": "text", **EVERY}


def typed(names: str, sql_type: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), sql_type)


COLUMNS = {
    "aws_cloudtrail_trail_event": {
        **typed("filter log_group_name log_stream_name access_key_id aws_region error_code"
                " error_message event_category event_id event_name event_source event_type"
                " event_version recipient_account_id request_id shared_event_id source_ip_address"
                " user_agent user_type username user_identifier vpc_endpoint_id", "text"),
        **typed("timestamp event_time", TIME),
        "timestamp_ms": "bigint",
        "read_only": "boolean",
        **typed("additional_event_data cloudtrail_event request_parameters response_elements"
                " resources tls_details user_identity", "jsonb"),
        **AWS,
    },
    "aws_cloudtrail_trail": {
        **typed("name arn home_region log_group_arn cloudwatch_logs_role_arn kms_key_id"
                " s3_bucket_name s3_key_prefix sns_topic_arn latest_cloudwatch_logs_delivery_error"
                " latest_delivery_error latest_digest_delivery_error latest_notification_error"
                " title", "text"),
        **typed("is_multi_region_trail log_file_validation_enabled is_logging"
                " has_custom_event_selectors has_insight_selectors include_global_service_events"
                " is_organization_trail", "boolean"),
        **typed("latest_cloudwatch_logs_delivery_time latest_delivery_time"
                " latest_digest_delivery_time latest_notification_time start_logging_time"
                " stop_logging_time", TIME),
        **typed("advanced_event_selectors event_selectors tags_src tags akas", "jsonb"),
        **AWS,
    },
    "ipstack_ip": {
        "ip": "inet",
        **typed("hostname type continent_code continent_name country_code country_name"
                " region_code region_name city zip location_capital location_country_flag_link"
                " location_country_flag_emoji location_country_flag_emoji_unicode"
                " location_calling_code timezone_id timezone_code currency_code currency_name"
                " currency_plural currency_symbol currency_symbol_native isp proxy_type"
                " crawler_name crawler_type threat_level", "text"),
        **typed("latitude longitude", "double precision"),
        **typed("location_geoname_id timezone_gmt_offset asn", "bigint"),
        **typed("location_is_eu timezone_is_daylight_saving is_proxy is_crawler is_tor", "boolean"),
        **typed("location_languages threat_types", "jsonb"),
        "timezone_current_time": TIME,
        **EVERY,
        **STATUS,
    },
    "aws_cloudwatch_log_group": {
        **typed("name arn log_group_arn log_group_class kms_key_id data_protection_status title",
                "text"),
        **typed("metric_filter_count retention_in_days stored_bytes", "bigint"),
        "creation_time": TIME,
        **typed("tags akas", "jsonb"),
        **AWS,
    },
    "aws_cloudtrail_lookup_event": {
        **typed("event_id event_name event_source read_only access_key_id resource_name"
                " resource_type username title", "text"),
        **typed("start_time end_time event_time", TIME),
        **typed("resources cloud_trail_event", "jsonb"),
        **AWS,
    },
    "net_dns_reverse": {"ip_address": "inet", "domains": "jsonb", **EVERY, **STATUS},
    "abuseipdb_check_ip": {
        "ip_address": "inet",
        **typed("abuse_confidence_score ip_version max_age_in_days num_distinct_users"
                " total_reports", "bigint"),
        **typed("country_code domain isp usage_type", "text"),
        **typed("is_public is_whitelisted", "boolean"),
        "last_reported_at": TIME,
        "reports": "jsonb",
        **EVERY,
        **STATUS,
    },
    "shodan_host": {
        "ip": "inet",
        **typed("asn isp org os city country_code country_code_3 country_name postal_code"
                " region_code", "text"),
        **typed("hostnames ports tags vulns", "jsonb"),
        **typed("area_code dma_code", "bigint"),
        **typed("latitude longitude", "double precision"),
        "last_update": TIME,
        **EVERY,
        **STATUS,
    },
}  # fmt: skip
