"""What the text of a sourceIPAddress is: an address of some class, an AWS service, a name.

The table of special-purpose prefixes is our own, so that the answer is the same on every Python:
``ipaddress`` changed its mind about leading zeros (3.9.5) and ``is_private`` (3.13).
"""

from __future__ import annotations

import re
import socket
from bisect import bisect_right
from typing import NamedTuple, Optional

from cloudtrail_fdw.sources.address.prefixes import flatten, read_prefix

CLASSES = ("public", "private", "loopback", "link_local", "cgnat", "documentation", "multicast",
           "reserved", "aws_service", "aws_internal", "hostname", "invalid")  # fmt: skip

# IANA IPv4 Special-Purpose Address Registry and IPv4 Multicast Address Space Registry; a prefix
# that is "globally reachable" there is public here.
SPECIAL_V4 = """
    0.0.0.0/0 public            0.0.0.0/8 reserved           10.0.0.0/8 private
    100.64.0.0/10 cgnat         127.0.0.0/8 loopback         169.254.0.0/16 link_local
    172.16.0.0/12 private       192.0.0.0/24 reserved        192.0.0.9/32 public
    192.0.0.10/32 public        192.0.2.0/24 documentation   192.88.99.0/24 reserved
    192.168.0.0/16 private      198.18.0.0/15 reserved       198.51.100.0/24 documentation
    203.0.113.0/24 documentation  224.0.0.0/4 multicast      240.0.0.0/4 reserved
"""
# IANA IPv6 Special-Purpose Address Registry; outside of 2000::/3 only what IANA has assigned
# (IPv6 Address Space registry). Teredo (2001::/32) reaches public hosts.
SPECIAL_V6 = """
    ::/0 reserved               ::1/128 loopback             64:ff9b::/96 public
    64:ff9b:1::/48 private      2000::/3 public              2001::/23 reserved
    2001::/32 public            2001:1::1/128 public         2001:1::2/128 public
    2001:1::3/128 public        2001:3::/32 public           2001:4:112::/48 public
    2001:20::/28 public         2001:30::/28 public          2001:db8::/32 documentation
    3fff::/20 documentation     fc00::/7 private             fe80::/10 link_local
    ff00::/8 multicast
"""

# Suffixes of AWS's partitions (dnsSuffix in botocore's endpoints.json) and of services that call
# each other; CloudTrail's record-contents page: "For services in AWS, only the DNS name".
AWS_NAME = re.compile(
    r"((?:[a-z0-9_-]+\.)+)(?:amazonaws\.(?:com(?:\.cn)?|eu)"
    r"|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)\.?"
    r"|(?:[a-z0-9_-]+\.)*aws\.internal\.?",
    re.ASCII | re.IGNORECASE,
)
# A service's principal is SERVICE, SERVICE.REGION or PART.SERVICE before the suffix (IAM user
# guide, "AWS JSON policy elements: Principal"). What customers have there names its Region as well
# (NAME.REGION.elb, ID.execute-api.REGION, NAME.ID.REGION.rds), or belongs to one of CUSTOMERS.
REGION = r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]+"
SERVICE = re.compile(rf"[a-z0-9_-]+\.(?:{REGION}\.)?|(?!(?:.*\.)?{REGION}\.)(?:[a-z0-9_-]+\.)+")
CUSTOMERS = re.compile(
    r".*\.(?:compute(?:-[0-9]+)?|s3(?:-[a-z0-9-]+)?|elb|cache|execute-api|vpce)\."
)
OF_S3 = ("batchoperations.s3.", "logging.s3.", "storage-lens.s3.")  # principals, and no buckets
AWS_INTERNAL = re.compile(r"AWS Internal(?:/.{0,100})?", re.IGNORECASE)
# RFC 1123 with the underscores that really occur; the last label is no number.
HOSTNAME = re.compile(
    r"(?:[a-z0-9_-]{1,63}\.)+(?![0-9]+\.?$)[a-z0-9-]{1,63}\.?", re.IGNORECASE | re.ASCII
)
# PostgreSQL's inet reads each octet as a decimal number whatever its zeros.
LOOSE_V4 = re.compile(r"0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})", re.ASCII)
WHOLE_LENGTH = re.compile(r"([0-9a-f:.]+)/(32|128)", re.ASCII | re.IGNORECASE)
LONGEST = 300  # characters; a DNS name has at most 253, an address with its zone fewer


class Address(NamedTuple):
    """What ``classify`` found.

    ``address`` is the text PostgreSQL's ``inet`` prints, ``version`` 4 or 6; None without one
    address. ``number`` is the address that databases are asked for, as an integer, and
    ``number_version`` its family: of ``::ffff:a.b.c.d`` and 6to4 the IPv4 address inside.
    """

    address_class: str
    address: Optional[str] = None
    version: Optional[int] = None
    number: int = 0
    number_version: int = 0


def read_table(table: str) -> tuple[list[int], list[str]]:
    """Starts and classes of a table of ``prefix class``, the narrowest prefix deciding."""
    words = table.split()
    pairs = zip(map(read_prefix, words[::2]), words[1::2])
    starts, holders = flatten(pairs)
    return starts, [classes[-1] for classes in holders if classes]


STARTS_V4, CLASSES_V4 = read_table(SPECIAL_V4)
STARTS_V6, CLASSES_V6 = read_table(SPECIAL_V6)


def classify(text: str) -> Address:
    """What ``text`` is; never raises, takes blanks around it, and knows no network."""
    if ":" in text:  # an exception takes long
        return classify_slowly(text)
    try:
        packed = socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return classify_slowly(text)
    number = int.from_bytes(packed, "big")
    found = CLASSES_V4[bisect_right(STARTS_V4, number) - 1]
    return Address(found, text, 4, number, 4)  # it takes no spelling but the one inet prints


def classify_slowly(text: str) -> Address:
    """Everything that is not the plain text of an IPv4 address."""
    text = text.strip()
    if not text or len(text) > LONGEST:
        return Address("invalid")
    if "/" in text:
        return classify_network(text)
    if ":" in text:
        return classify_v6(text)
    octets = LOOSE_V4.fullmatch(text)
    if octets:
        plain = ".".join(str(int(octet)) for octet in octets.groups())
        worst = max(int(octet) for octet in octets.groups())
        return classify(plain) if worst <= 255 else Address("invalid")
    if AWS_INTERNAL.fullmatch(text):
        return Address("aws_internal")
    if is_service(text):
        return Address("aws_service")
    return Address("hostname" if len(text) <= 254 and HOSTNAME.fullmatch(text) else "invalid")


def classify_network(text: str) -> Address:
    """``inet::text``, which writes the length also of a network that is one address."""
    one = WHOLE_LENGTH.fullmatch(text)
    if one:
        found = classify(one[1])
        return found if found.version == (4 if one[2] == "32" else 6) else Address("invalid")
    return Address("aws_internal" if AWS_INTERNAL.fullmatch(text) else "invalid")


def is_service(text: str) -> bool:
    """Whether a name is that of an AWS service, not of a customer's machine, bucket or the like."""
    found = AWS_NAME.fullmatch(text)
    if not found:
        return False
    name = (found[1] or "").lower()
    return (
        not name  # aws.internal
        or name in OF_S3
        or bool(SERVICE.fullmatch(name) and not CUSTOMERS.fullmatch(name))
    )


def classify_v6(text: str) -> Address:
    """An IPv6 address, with or without a zone (RFC 4007), which inet does not keep."""
    address, percent, zone = text.partition("%")
    if percent and not zone:
        return Address("invalid")
    try:
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return Address("invalid")
    number = int.from_bytes(packed, "big")
    printed = socket.inet_ntop(socket.AF_INET6, packed)
    inside = -1
    if number >> 32 == 0xFFFF:  # IPv4-mapped, RFC 4291
        inside = number & 0xFFFFFFFF
    elif number >> 112 == 0x2002:  # 6to4, RFC 3056
        inside = (number >> 80) & 0xFFFFFFFF
    if inside >= 0:
        found = CLASSES_V4[bisect_right(STARTS_V4, inside) - 1]
        return Address(found, printed, 6, inside, 4)
    found = CLASSES_V6[bisect_right(STARTS_V6, number) - 1]
    return Address(found, printed, 6, number, 6)
