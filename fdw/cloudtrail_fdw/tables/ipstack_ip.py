"""ipstack_ip: where an address is and who provides it, as the ipstack API says."""

from __future__ import annotations

from cloudtrail_fdw.declare import Column
from cloudtrail_fdw.sources.remote.ipstack import SOURCE
from cloudtrail_fdw.tables.remote_lookup import TIME, remote_table

FLOAT = "double precision"
COLUMNS = (
    Column("hostname", "text", "Host name by ipstack's own look-up; asked for when wanted.", ("hostname",)),
    Column("type", "text", "ipv4 or ipv6.", ("type",)),
    Column("continent_code", "text", "Continent, two letters.", ("continent_code",)),
    Column("continent_name", "text", "Continent.", ("continent_name",)),
    Column("country_code", "text", "Country, two letters.", ("country_code",)),
    Column("country_name", "text", "Country.", ("country_name",)),
    Column("region_code", "text", "State or province, as CA for California.", ("region_code",)),
    Column("region_name", "text", "State or province.", ("region_name",)),
    Column("city", "text", "City.", ("city",)),
    Column("zip", "text", "Postal code.", ("zip",)),
    Column("latitude", FLOAT, "Degrees north.", ("latitude",)),
    Column("longitude", FLOAT, "Degrees east.", ("longitude",)),
    Column("msa", "text", "Metropolitan statistical area, of the USA.", ("msa",)),
    Column("dma", "text", "Designated market area, of the USA.", ("dma",)),
    Column("radius", FLOAT, "Radius around the coordinates.", ("radius",)),
    Column("ip_routing_type", "text", "How the address is routed, as fixed or mobile gateway.", ("ip_routing_type",)),
    Column("connection_type", "text", "Kind of line, as cable or dsl.", ("connection_type",)),
    Column("location_geoname_id", "bigint", "Place in the GeoNames registry.", ("location", "geoname_id")),
    Column("location_capital", "text", "Capital of the country.", ("location", "capital")),
    Column("location_languages", "jsonb", "Languages of the country: code, name, native.", ("location", "languages")),
    Column("location_country_flag_link", "text", "URL of the flag.", ("location", "country_flag")),
    Column("location_country_flag_emoji", "text", "The flag as an emoji.", ("location", "country_flag_emoji")),
    Column("location_country_flag_emoji_unicode", "text", "Code points of the emoji.", ("location", "country_flag_emoji_unicode")),
    Column("location_calling_code", "text", "Telephone prefix of the country.", ("location", "calling_code")),
    Column("location_is_eu", "boolean", "Whether the country is in the European Union.", ("location", "is_eu")),
    Column("timezone_id", "text", "IANA time zone.", ("time_zone", "id")),
    Column("timezone_current_time", TIME, "The time at the look-up, as ipstack saw it.", ("time_zone", "current_time")),
    Column("timezone_gmt_offset", "bigint", "Seconds east of UTC, at the look-up.", ("time_zone", "gmt_offset")),
    Column("timezone_code", "text", "Abbreviation of the time zone.", ("time_zone", "code")),
    Column("timezone_is_daylight_saving", "boolean", "Whether it was daylight saving time.", ("time_zone", "is_daylight_saving")),
    Column("currency_code", "text", "Currency, three letters.", ("currency", "code")),
    Column("currency_name", "text", "Currency.", ("currency", "name")),
    Column("currency_plural", "text", "Currency, in the plural.", ("currency", "plural")),
    Column("currency_symbol", "text", "Symbol of the currency.", ("currency", "symbol")),
    Column("currency_symbol_native", "text", "Symbol in the country itself.", ("currency", "symbol_native")),
    Column("asn", "bigint", "Number of the autonomous system.", ("connection", "asn")),
    Column("isp", "text", "Internet provider.", ("connection", "isp")),
    Column("is_proxy", "boolean", "Whether it is a proxy; with ipstack_security.", ("security", "is_proxy")),
    Column("proxy_type", "text", "Kind of proxy; with ipstack_security.", ("security", "proxy_type")),
    Column("is_crawler", "boolean", "Whether it is a crawler; with ipstack_security.", ("security", "is_crawler")),
    Column("crawler_name", "text", "Name of the crawler; with ipstack_security.", ("security", "crawler_name")),
    Column("crawler_type", "text", "Kind of crawler; with ipstack_security.", ("security", "crawler_type")),
    Column("is_tor", "boolean", "Whether it belongs to Tor; with ipstack_security.", ("security", "is_tor")),
    Column("threat_level", "text", "low, medium or high; with ipstack_security.", ("security", "threat_level")),
    Column("threat_types", "jsonb", "Kinds of threat; with ipstack_security.", ("security", "threat_types")),
)  # fmt: skip

TABLE = remote_table(
    SOURCE, "Where an address is and who provides it, by the ipstack API.", COLUMNS
)
