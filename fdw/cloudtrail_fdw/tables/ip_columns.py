"""The columns of ip_enrichment."""

from __future__ import annotations

from cloudtrail_fdw.declare import Column, Push

COLUMNS = (
    Column("ip", "text", "The value asked for, exactly as given; any text.", push=Push.VALUE),
    Column("address", "inet", "The address; NULL unless the value is one address."),
    Column("ip_version", "integer", "4 or 6; NULL unless the value is one address."),
    Column(
        "address_class", "text",
        "public, private, loopback, link_local, cgnat, documentation, multicast, reserved, "
        "aws_service, aws_internal, hostname or invalid; of an IPv4-mapped or 6to4 address, that "
        "of the IPv4 address inside.",
    ),
    Column("continent_code", "text", "Continent, two letters."),
    Column("continent_name", "text", "Continent, in English."),
    Column("country_code", "text", "Country, ISO 3166-1 alpha-2."),
    Column("country_name", "text", "Country, in English."),
    Column("region_code", "text", "State or province, ISO 3166-2; not in every database."),
    Column("region_name", "text", "State or province."),
    Column("city", "text", "City."),
    Column("postal_code", "text", "Postal code; not in every database."),
    Column("latitude", "double precision", "Degrees north (WGS 84), approximate."),
    Column("longitude", "double precision", "Degrees east (WGS 84), approximate."),
    Column("time_zone", "text", "IANA time zone; not in every database."),
    Column("accuracy_radius_km", "integer", "Radius around the coordinates; MaxMind's only."),
    Column("asn", "bigint", "Number of the autonomous system that announces the address."),
    Column("as_organization", "text", "Holder of the autonomous system."),
    Column(
        "geo_database", "text",
        "Type and build date of the database that was asked; says so when it is the sample.",
    ),
    Column(
        "is_aws", "boolean",
        "Whether AWS's ip-ranges.json lists the address; NULL where only the sample was asked.",
    ),
    Column(
        "aws_range_class", "text",
        "ec2 (EC2 and no other service), service (a named one) or infrastructure (AMAZON only).",
    ),
    Column(
        "aws_customer_usable", "boolean",
        "Whether a customer's instance can have the address, that is, aws_range_class is ec2.",
    ),
    Column("aws_services", "text[]", "Services whose ranges contain the address, bar AMAZON."),
    Column("aws_region", "text", "Region of the most specific range; GLOBAL for edge services."),
    Column("aws_network_border_group", "text", "Border group of the most specific range."),
    Column("aws_prefix", "cidr", "The most specific range."),
    Column("aws_ranges_date", "timestamp with time zone", "When AWS made the file."),
    Column(
        "reverse_dns", "text",
        "The first name by reverse DNS, of those that are confirmed if there are any; asking for "
        "it asks the name servers. Proof of nothing.",
    ),
    Column(
        "reverse_dns_status", "text",
        "found, confirmed (only where reverse_dns_confirmed is asked for), none, timeout, error, "
        "or not_requested (also for values that are no public address, which are never sent out).",
    ),
    Column("reverse_dns_names", "text[]", "All names by reverse DNS, in alphabetical order."),
    Column(
        "reverse_dns_confirmed", "text",
        "The first name that leads back to the address; asking for it asks for the addresses of "
        "all names, too.",
    ),
)  # fmt: skip
