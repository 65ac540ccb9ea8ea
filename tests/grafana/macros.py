"""What Grafana does to a query before PostgreSQL sees it.

In the browser, public/app/features/templating/template_srv.ts and packages/grafana-sql's
SqlDatasource.ts replace variables; in the server, pkg/tsdb/grafana-postgresql-datasource's
sqleng/sql_engine.go (interpolation of intervals) and macros.go replace the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^\)]*)\)")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Range:
    """What the time picker says, and the seconds of ``$__interval``."""

    start: datetime
    end: datetime
    interval: int = 60


def with_variables(sql: str, variables: list[dict[str, Any]], chosen: dict[str, list[str]]) -> str:
    """The query with its variables replaced: ``allValue`` as it stands, values as literals."""
    for variable in variables:
        values = chosen.get(variable["name"])
        text = variable["allValue"] if values is None else ",".join(map(literal, values))
        sql = re.sub(rf"\${variable['name']}\b|\${{{variable['name']}}}", lambda _, t=text: t, sql)
    return sql


def literal(value: str) -> str:
    """As quoteLiteral does it."""
    return "'" + value.replace("'", "''") + "'"


def expanded(sql: str, within: Range) -> str:
    """The query as PostgreSQL gets it; ValueError for a macro that Grafana does not know."""
    sql = sql.replace("$__interval_ms", str(within.interval * 1000))
    sql = sql.replace("$__interval", f"{within.interval}s")
    sql = MACRO.sub(lambda found: macro(found, within), sql)
    if "$" in sql:
        raise ValueError(f"something is left to replace: {sql}")
    return sql


def macro(found: re.Match[str], within: Range) -> str:
    """One macro's text, for the macros that the dashboards use."""
    name, arguments = found[1], [part.strip(" ") for part in found[2].split(",")]
    if name == "__timeFilter":
        return f"{arguments[0]} BETWEEN '{rfc3339(within.start)}' AND '{rfc3339(within.end)}'"
    if name == "__timeGroupAlias":
        seconds = in_seconds(arguments[1].strip("'"))
        return f'floor(extract(epoch from {arguments[0]})/{seconds})*{seconds} AS "time"'
    raise ValueError(f"unknown macro {name!r}")


def in_seconds(interval: str) -> int:
    """``5m`` in seconds."""
    return int(interval[:-1]) * UNITS[interval[-1]]


def rfc3339(moment: datetime) -> str:
    """As Go's RFC3339Nano writes it: no zeros at the end of the fraction."""
    text = moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"
