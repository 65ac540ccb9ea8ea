"""The tables, by SQL name."""

from __future__ import annotations

from cloudtrail_fdw.declare import Table
from cloudtrail_fdw.tables.cloudtrail_event import TABLE as CLOUDTRAIL_EVENT
from cloudtrail_fdw.tables.cloudtrail_trail import TABLE as CLOUDTRAIL_TRAIL
from cloudtrail_fdw.tables.ip_enrichment import TABLE as IP_ENRICHMENT

TABLES: dict[str, Table] = {
    table.name: table for table in (CLOUDTRAIL_EVENT, IP_ENRICHMENT, CLOUDTRAIL_TRAIL)
}
