"""Import arrows point one way: wrapper → host → tables → sources → declarations → errors."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "fdw" / "cloudtrail_fdw"
# What the modules of each layer may import of ours.
BASE = {"errors", "declare", "bounds", "times", "options", "interrupts", "recent"}
ALLOWED = {
    "errors": set(),
    "declare": {"bounds", "options"},  # for type checkers only
    "times": {"errors"},
    "bounds": {"times", "declare"},
    "options": {"errors", "declare"},
    "interrupts": {"errors"},
    "recent": set(),
    "sources": {"sources", *BASE},
    "tables": {"tables", "sources", *BASE},
    "host": {"host", "tables", *BASE},
    "wrapper": {"host", *BASE},
    "render": {"tables", "render_checks", "render_recipes", *BASE},
    "render_recipes": BASE,
}


# What the rooms of sources may import of each other (and all of them of BASE).
ROOMS = {
    "disk": set(),
    "record": set(),
    "aws": {"disk", "record"},
    "cache": {"disk", "record"},
    "scan": {"aws", "cache", "record", "disk"},
    "address": {"disk"},
    "names": {"address", "disk"},
    "remote": {"address", "disk", "aws"},
}


def layer(path: Path) -> str:
    """The package or module below cloudtrail_fdw that the file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The layers that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "cloudtrail_fdw":
                names = [f"cloudtrail_fdw.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("cloudtrail_fdw.")}
    return found


def test_arrows_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in PACKAGE.rglob("*.py")
        for name in imported(path)
        if layer(path) in ALLOWED and name not in ALLOWED[layer(path)]
    ]
    assert wrong == []
    assert {layer(path) for path in PACKAGE.rglob("*.py")} >= set(ALLOWED)


def rooms_of(path: Path) -> set[str]:
    """The rooms of sources that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "cloudtrail_fdw.sources"
        ):
            parts = str(node.module).split(".")
            found |= {parts[2]} if len(parts) > 2 else {alias.name for alias in node.names}
    return found


def test_arrows_between_rooms_point_one_way() -> None:
    folder = PACKAGE / "sources"
    wrong = [
        f"{path.relative_to(folder)} imports {name}"
        for room, allowed in ROOMS.items()
        for path in (folder / room).glob("*.py")
        for name in rooms_of(path) - allowed - {room}
    ]
    assert wrong == []
    assert {path.name for path in folder.iterdir() if path.is_dir()} - {"__pycache__"} == set(ROOMS)
    assert [path.name for path in folder.glob("*.py")] == ["__init__.py"]


def test_only_the_wrapper_imports_multicorn() -> None:
    importers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "multicorn" in path.read_text("utf-8")
        and any(
            isinstance(node, (ast.Import, ast.ImportFrom)) and "multicorn" in ast.dump(node)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    ]
    assert importers == ["wrapper.py"]


def test_only_the_face_of_multicorn_reads_the_backend() -> None:
    readers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "ctypes" in path.read_text("utf-8")
    ]
    assert readers == ["host/multicorn.py"]


def test_declarations_import_no_library_of_a_source() -> None:
    code = (
        "import sys, cloudtrail_fdw.tables; print(*sorted(set(sys.modules) & "
        "{'boto3', 'botocore', 'pycares', 'requests', 'maxminddb'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []
