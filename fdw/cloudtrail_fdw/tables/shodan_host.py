"""shodan_host: what a host offers to the Internet, as Shodan has seen it."""

from __future__ import annotations

from cloudtrail_fdw.declare import Column
from cloudtrail_fdw.sources.remote.shodan import SOURCE
from cloudtrail_fdw.tables.remote_lookup import TIME, remote_table

COLUMNS = (
    Column("asn", "text", "Autonomous system, as AS15169.", ("asn",)),
    Column("hostnames", "jsonb", "Host names, an array.", ("hostnames",)),
    Column("domains", "jsonb", "Domains of the host names, an array.", ("domains",)),
    Column("isp", "text", "Internet provider.", ("isp",)),
    Column("org", "text", "Organization that has the address.", ("org",)),
    Column("os", "text", "Operating system.", ("os",)),
    Column("last_update", TIME, "When Shodan last saw the host.", ("last_update",)),
    Column("ports", "jsonb", "Open ports, an array.", ("ports",)),
    Column("tags", "jsonb", "What Shodan calls the host, as cloud or vpn, an array.", ("tags",)),
    Column("vulns", "jsonb", "Vulnerabilities, mostly guessed from versions, as CVE numbers.", ("vulns",)),
    Column("area_code", "bigint", "Telephone area, of the USA.", ("area_code",)),
    Column("city", "text", "City.", ("city",)),
    Column("country_code", "text", "Country, two letters.", ("country_code",)),
    Column("country_code_3", "text", "Country, three letters.", ("country_code3",)),
    Column("country_name", "text", "Country.", ("country_name",)),
    Column("dma_code", "bigint", "Designated market area, of the USA.", ("dma_code",)),
    Column("latitude", "double precision", "Degrees north.", ("latitude",)),
    Column("longitude", "double precision", "Degrees east.", ("longitude",)),
    Column("postal_code", "text", "Postal code.", ("postal_code",)),
    Column("region_code", "text", "State or province.", ("region_code",)),
    Column("data", "jsonb", "The services with their banners, an array; asked for when wanted.", ("data",)),
)  # fmt: skip

TABLE = remote_table(
    SOURCE, "Ports, names and vulnerabilities of a host, by the Shodan API.", COLUMNS
)
