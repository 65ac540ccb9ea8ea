"""Log groups: how users name them, and what CloudWatch Logs says of them."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.options import Settings
from cloudtrail_fdw.sources.aws import aws
from cloudtrail_fdw.sources.disk.cache_directory import read_json
from cloudtrail_fdw.sources.record.log_event import PAGE_BYTES

GROUP_ARN = re.compile(r"arn:[a-z-]+:logs:(?P<region>[a-z0-9-]+):(?P<account>\d+):"
                       r"log-group:(?P<name>[^:]+)(?::\*)?")  # fmt: skip
FACTS_LAST = 300.0  # seconds: a group may be made anew under its name
CREDENTIAL_FILES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")


@dataclass(frozen=True)
class LogGroup:
    """A log group as the user names it: ``name`` may be an ARN, of any account and Region."""

    name: str

    @property
    def arn(self) -> Optional[re.Match[str]]:
        """The parts of the ARN, when the name is one."""
        return GROUP_ARN.fullmatch(self.name)

    @property
    def valid(self) -> bool:
        """Whether it can be a group at all: AWS's rule for names, or an ARN."""
        return bool(self.arn or re.fullmatch(r"[.\-_/#A-Za-z0-9]{1,512}", self.name))

    @property
    def short_name(self) -> str:
        """The name without the rest of its ARN."""
        return self.arn["name"] if self.arn else self.name

    @property
    def region(self) -> str:
        """The Region that the ARN names, or an empty text."""
        return self.arn["region"] if self.arn else ""

    @property
    def account(self) -> str:
        """The account that the ARN names, or an empty text."""
        return self.arn["account"] if self.arn else ""

    def parameter(self) -> dict[str, str]:
        """The group as FilterLogEvents wants it; an ARN without its ``:*``."""
        if self.name.startswith("arn:"):
            return {"logGroupIdentifier": re.sub(r":\*$", "", self.name)}
        return {"logGroupName": self.name}


def choose_groups(
    asked: Optional[tuple[str, ...]], option: str
) -> Optional[tuple[tuple[str, LogGroup], ...]]:
    """The groups that a query or the option names, each beside its name; None for neither.

    FdwError for a name that is not the option's, or that no group can have.
    """
    only = LogGroup(option) if option else None
    if asked is None:
        return None if only is None else ((only.short_name, only),)
    for name in asked:
        if only is not None and name not in (only.name, only.short_name):
            raise FdwError(
                f'this table reads log group "{only.name}" only, not "{name}"',
                hint="Leave log_group_name out, or change the option log_group.",
                sqlstate="HV00R",
            )
        if not LogGroup(name).valid:
            raise FdwError(f'"{name}" is no name or ARN of a log group', sqlstate="HV00R")
    return tuple((name, only or LogGroup(name)) for name in asked)


@dataclass(frozen=True)
class GroupFacts:
    """What a cache has to know of a group: whose answer it is, and how long events live.

    ``creation`` in ms, ``retention_days`` 0 for ever, ``caller`` the ARN that asked.
    """

    caller: str
    arn: str
    region: str
    account: str
    creation: int
    retention_days: int
    stored_bytes: int
    log_class: str

    @property
    def oldest(self) -> int:
        """Events before this time (ms) are past the group's retention."""
        return (
            int(time.time() * 1000) - self.retention_days * 86_400_000 if self.retention_days else 0
        )

    def calls(self, milliseconds: float) -> float:
        """About how many calls so much of the group's time takes, by its mean density."""
        age = max(1.0, time.time() * 1000 - max(self.creation, self.oldest))
        return max(1.0, min(1.0, milliseconds / age) * self.stored_bytes / PAGE_BYTES)


def known_facts(settings: Settings, group: LogGroup, root: Optional[Path]) -> Optional[GroupFacts]:
    """What was found out in the last minutes; no call."""
    found = (
        read_json(root / answer_name(settings, "group", group.name), time.time() - FACTS_LAST)
        if root
        else None
    )
    try:
        return GroupFacts(**found) if found else None
    except TypeError:
        return None


def answer_name(settings: Settings, kind: str, *asked: str) -> str:
    """A file's name for an answer to these credentials; nothing can be read from it."""
    parts = [
        *asked, *aws.caller(settings),
        *(f"{name}={os.environ[name]}" for name in sorted(os.environ) if name.startswith("AWS_")),
        *map(str, credential_file_times()),
    ]  # fmt: skip
    return f"{kind}-" + hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:32]


def credential_file_times() -> Iterator[float]:
    """When the files that may name other credentials were changed."""
    for variable, name in zip(CREDENTIAL_FILES, ("credentials", "config")):
        path = Path(os.environ.get(variable) or Path("~/.aws").expanduser() / name)
        try:
            yield path.stat().st_mtime
        except OSError:
            yield 0.0
