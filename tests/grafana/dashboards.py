"""The files that Grafana reads, as the queries in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grafana.macros import Range, expanded, with_variables

FOLDER = Path(__file__).parents[2] / "docker" / "grafana"
DASHBOARDS = {
    path.stem: json.loads(path.read_text("utf-8"))
    for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
ALERTS = yaml.safe_load((FOLDER / "provisioning/alerting/cloudtrail.yaml").read_text("utf-8"))
RULES: list[dict[str, Any]] = ALERTS["groups"][0]["rules"]


@dataclass(frozen=True)
class Query:
    """A panel's, variable's or alert's; ``kind`` is the panel's type, "variable" or "alert"."""

    name: str
    kind: str
    format: str
    sql: str
    variables: tuple[dict[str, Any], ...] = ()

    def text(self, within: Range, **chosen: list[str]) -> str:
        """What PostgreSQL gets."""
        return expanded(with_variables(self.sql, list(self.variables), chosen), within)


def variables_of(board: dict[str, Any]) -> list[Query]:
    """The queries that fill its variables."""
    return [Query(f"variable {variable['name']}", "variable", "table", variable["query"])
            for variable in board["templating"]["list"]]  # fmt: skip


def panels_of(board: dict[str, Any]) -> list[Query]:
    """The queries of its panels."""
    variables = tuple(board["templating"]["list"])
    return [
        Query(panel["title"], panel["type"], target["format"], target["rawSql"], variables)
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


def alerts() -> list[Query]:
    """The queries of the alert rules."""
    return [Query(rule["title"], "alert", model["format"], model["rawSql"])
            for rule in RULES for model in [rule["data"][0]["model"]]]  # fmt: skip


def everything() -> dict[str, list[Query]]:
    """All queries, by the name of their dashboard."""
    boards = {name: variables_of(board) + panels_of(board) for name, board in DASHBOARDS.items()}
    return {**boards, "alerts": alerts()}
