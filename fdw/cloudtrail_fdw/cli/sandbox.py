"""``cloudtrail-fdw sandbox``: the product on a PostgreSQL of its own, in front of a local AWS."""

from __future__ import annotations

import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any, Optional

import click

from cloudtrail_fdw.cli.install.install import Target, install
from cloudtrail_fdw.sandbox import aws_process, lifecycle
from cloudtrail_fdw.sandbox.events import GZIP_MAGIC

tell = partial(click.echo, err=True)
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
directory_option = click.option(
    "--dir", "directory", type=click.Path(path_type=Path), default=lifecycle.default_directory,
    help="Folder of the sandbox; one each for several side by side.  [default: a state folder]",
)  # fmt: skip


def install_sandbox(
    dsn: str, reader: str, options: dict[str, str], *, python: Optional[Path], handler: bool = True
) -> None:
    """Install as ``cloudtrail-fdw install`` does, without its advice to the administrator."""
    host = "worker" if python else "multicorn"
    target = Target(
        reader=reader, options=tuple(options.items()), handler=handler, host=host, python=python
    )
    install(dsn, target, lambda line: None)


def show(answer: Any) -> None:
    """One JSON object on standard output."""
    click.echo(json.dumps(answer))


@click.group()
def sandbox() -> None:
    """Try the tables, and test detections, without AWS: a local CloudWatch Logs and PostgreSQL."""


@sandbox.command("start")
@click.option(
    "--events",
    type=existing_file,
    help="Events, one a line, .gz too.  [default: the demo's sample]",
)
@click.option("--log-group", help="Name of the log group that serves them.")
@click.option("--shift-to-now", is_flag=True, help="Move all times so that the newest is now.")
@click.option("--latency-ms", type=click.FloatRange(0), help="Of every call to the local AWS.")
@click.option("--tps", type=click.FloatRange(0), help="Quota of calls a second; 0 is none.")
@click.option("--scan-mb", type=click.FloatRange(0), help="MB that one call scans; 0 is no limit.")
@click.option("--late-percent", type=click.FloatRange(0, 100), help="Share delivered hours late.")
@click.option(
    "--server",
    "kind",
    type=click.Choice(lifecycle.SERVERS),
    help="Which PostgreSQL.  [default: this machine's with Multicorn2, else without, else that of "
    "the extra server]",
)
@click.option(
    "--data-directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with geolocation.mmdb and so on.  [default: the bundled samples]",
)
@click.option("--no-handler", is_flag=True, help="Use Multicorn's own handler.")
@directory_option
def start(
    directory: Path, kind: Optional[str], data_directory: Optional[Path], no_handler: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Start a fresh sandbox in the background and print how to reach it, as one JSON object.

    One that runs in the same folder is stopped, and its database is gone.
    """
    server = lifecycle.choose_server(kind, tell)
    arguments = aws_arguments(given)
    installer = partial(install_sandbox, handler=not no_handler)
    show(lifecycle.start(directory, server, arguments, installer, data_directory, tell))


def aws_arguments(given: dict[str, Any]) -> list[str]:
    """The options given, as the local AWS's own program takes them."""
    arguments = []
    for name, setting in given.items():
        if setting is True:
            arguments.append("--" + name.replace("_", "-"))
        elif setting is not None and setting is not False:
            text = setting.absolute() if isinstance(setting, Path) else setting
            arguments += ["--" + name.replace("_", "-"), str(text)]
    return arguments


@sandbox.command("stop")
@directory_option
def stop(directory: Path) -> None:
    """Stop it; its files stay until the next start."""
    stopped = lifecycle.stop(directory.absolute())
    tell(f"Stopped the sandbox in {directory}." if stopped else f"Nothing runs in {directory}.")


@sandbox.command("stats")
@directory_option
def stats(directory: Path) -> None:
    """Print calls, events, bytes, throttles and empty pages since start or reset-stats."""
    show(aws_process.control(directory, "stats"))


@sandbox.command("reset-stats")
@directory_option
def reset_stats(directory: Path) -> None:
    """Count from zero."""
    aws_process.control(directory, "reset-stats", b"")


@sandbox.command("append")
@click.argument("file", type=existing_file)
@directory_option
def append(file: Path, directory: Path) -> None:
    """Deliver the events of FILE, one a line, .gz too, and print how many."""
    data = file.read_bytes()
    if data.startswith(GZIP_MAGIC):
        data = gzip.decompress(data)
    show(aws_process.control(directory, "append", data))
    # AWS delivers nothing into a past that was read already; a test of a detection does
    lifecycle.clear_cache(directory.absolute())


@sandbox.command("fault")
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@directory_option
def fault(name: str, state: str, directory: Path) -> None:
    """Switch the fault NAME of the local AWS on or off; a wrong name lists them."""
    show(aws_process.control(directory, "fault", b"", name=name, on="1" if state == "on" else "0"))
