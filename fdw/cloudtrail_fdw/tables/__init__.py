"""The tables, by SQL name."""

from __future__ import annotations

from cloudtrail_fdw.declare import Table
from cloudtrail_fdw.tables.abuseipdb_check import TABLE as ABUSEIPDB_CHECK
from cloudtrail_fdw.tables.aws_ip_range import TABLE as AWS_IP_RANGE
from cloudtrail_fdw.tables.cloudtrail_event import TABLE as CLOUDTRAIL_EVENT
from cloudtrail_fdw.tables.cloudtrail_event_history import TABLE as CLOUDTRAIL_EVENT_HISTORY
from cloudtrail_fdw.tables.cloudtrail_fdw_cache import TABLE as CLOUDTRAIL_FDW_CACHE
from cloudtrail_fdw.tables.cloudtrail_fdw_cache_removal import (
    TABLE as CLOUDTRAIL_FDW_CACHE_REMOVAL,
)
from cloudtrail_fdw.tables.cloudtrail_fdw_stat import TABLE as CLOUDTRAIL_FDW_STAT
from cloudtrail_fdw.tables.cloudtrail_trail import TABLE as CLOUDTRAIL_TRAIL
from cloudtrail_fdw.tables.cloudwatch_log_group import TABLE as CLOUDWATCH_LOG_GROUP
from cloudtrail_fdw.tables.ip_enrichment import TABLE as IP_ENRICHMENT
from cloudtrail_fdw.tables.ipstack_ip import TABLE as IPSTACK_IP
from cloudtrail_fdw.tables.shodan_host import TABLE as SHODAN_HOST

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        CLOUDTRAIL_EVENT,
        IP_ENRICHMENT,
        AWS_IP_RANGE,
        CLOUDTRAIL_TRAIL,
        CLOUDTRAIL_EVENT_HISTORY,
        CLOUDWATCH_LOG_GROUP,
        IPSTACK_IP,
        ABUSEIPDB_CHECK,
        SHODAN_HOST,
        CLOUDTRAIL_FDW_STAT,
        CLOUDTRAIL_FDW_CACHE,
        CLOUDTRAIL_FDW_CACHE_REMOVAL,
    )
}
