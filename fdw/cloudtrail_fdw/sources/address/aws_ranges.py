"""Whose an address of AWS is, from AWS's ip-ranges.json.

Rules of the VPC user guide's pages aws-ip-syntax and aws-ip-range-overlaps: every range is also
listed as AMAZON; ranges of EC2 can be assigned to customers' instances, unless another service
lists them too, for then only that service uses them.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from cloudtrail_fdw.sources.address.address import Address
from cloudtrail_fdw.sources.address.prefixes import Prefix, flatten, read_prefix
from cloudtrail_fdw.sources.disk.data_files import IP_RANGES, Watched, damaged

if TYPE_CHECKING:
    from cloudtrail_fdw.options import Settings


class AwsRange(NamedTuple):
    """Columns of ip_enrichment, in its order; None is unknown, or not AWS's.

    ``aws_range_class`` is ``ec2`` (EC2 and no other service), ``service`` (a named service) or
    ``infrastructure`` (AMAZON only). ``aws_services`` are sorted and leave AMAZON out.
    """

    is_aws: Optional[bool] = None
    aws_range_class: Optional[str] = None
    aws_customer_usable: Optional[bool] = None
    aws_services: Optional[tuple[str, ...]] = None
    aws_region: Optional[str] = None
    aws_network_border_group: Optional[str] = None
    aws_prefix: Optional[str] = None
    aws_ranges_date: Optional[str] = None


class Row(NamedTuple):
    """One entry of the file."""

    prefix: str
    service: str
    region: str
    border_group: str


class Ranges(NamedTuple):
    """The file, flattened per family; ``outside`` answers for addresses in no range.

    ``holders`` are the entries that ``answers`` were made of, ``rows`` all of them as AWS has
    them in order, IPv4 first.
    """

    starts: dict[int, list[int]]
    answers: dict[int, list[AwsRange]]
    holders: dict[int, list[tuple[Row, ...]]]
    rows: tuple[Row, ...]
    outside: AwsRange
    date: str
    sample: bool

    def find(self, address: Address) -> AwsRange:
        """What all ranges that contain the address say together; nothing for no address."""
        version = address.number_version
        if not version:
            return UNKNOWN
        return self.answers[version][bisect_right(self.starts[version], address.number) - 1]

    def holding(self, version: int, number: int) -> tuple[Row, ...]:
        """The entries that hold an address, given as an integer, widest first."""
        return self.holders[version][bisect_right(self.starts[version], number) - 1]


UNKNOWN = AwsRange()


def load(path: Path) -> Ranges:
    """Read the file; FdwError when it is not AWS's ip-ranges.json, or damaged."""
    try:
        return read(json.loads(path.read_bytes()))
    except OSError as error:
        raise damaged(path, error.strerror) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(path, f"not AWS's ip-ranges.json: {type(error).__name__}: {error}") from None


def read(content: Any) -> Ranges:
    """The parsed file as ranges; ValueError and the like for anything that is none.

    A file with the key ``sample`` says nothing about addresses outside of it.
    """
    created = datetime.strptime(content["createDate"] + "+0000", "%Y-%m-%d-%H-%M-%S%z")
    date = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    sample = "sample" in content
    outside = UNKNOWN if sample else AwsRange(is_aws=False, aws_ranges_date=date)
    starts: dict[int, list[int]] = {}
    answers: dict[int, list[AwsRange]] = {}
    holders: dict[int, list[tuple[Row, ...]]] = {}
    listed: list[Row] = []
    for version, member, key in ((4, "prefixes", "ip_prefix"), (6, "ipv6_prefixes", "ipv6_prefix")):
        rows = [read_row(entry, key, version) for entry in content[member]]
        if not rows and not sample:
            raise ValueError(f"{member} is empty")
        starts[version], holders[version] = flatten(rows)
        answers[version] = [answer(found, date) if found else outside for found in holders[version]]
        listed += [row for _, row in rows]
    return Ranges(starts, answers, holders, tuple(listed), outside, date, sample)


def read_row(entry: Any, key: str, version: int) -> tuple[Prefix, Row]:
    """One entry and its prefix; ValueError for text that PostgreSQL could not take."""
    prefix = read_prefix(entry[key])
    row = Row(entry[key], entry["service"], entry["region"], entry["network_border_group"])
    if prefix.version != version or not all(re.fullmatch(r"[!-~]{1,100}", word) for word in row):
        raise ValueError(f"unexpected entry {row}")
    return prefix, row


def answer(rows: tuple[Row, ...], date: str) -> AwsRange:
    """The columns for addresses that exactly these entries contain, widest first."""
    services = tuple(sorted({row.service for row in rows} - {"AMAZON"}))
    found = {(): "infrastructure", ("EC2",): "ec2"}.get(services, "service")
    narrowest = rows[-1]
    return AwsRange(
        True, found, found == "ec2", services, narrowest.region, narrowest.border_group,
        narrowest.prefix, date,
    )  # fmt: skip


WATCHED = Watched("ip_ranges", IP_RANGES, load)


def current(settings: Settings, patience: float = 0.0) -> Ranges:
    """The file in force, read again when it was replaced; FdwError for a broken one."""
    return WATCHED.current(settings.ip_ranges, patience)
