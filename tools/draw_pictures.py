# ruff: noqa: INP001 - a script, no package
"""Draw docs/pictures/*.svg from rows of the sample, asked for with the dashboards' own queries.

    cloudtrail-fdw sandbox start          prints reader_dsn
    python tools/draw_pictures.py READER_DSN

They are charts of ours, not screenshots of Grafana; each says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from html import escape
from pathlib import Path

import psycopg

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests"))

from grafana.dashboards import DASHBOARDS, Query, panels_of  # noqa: E402 - after the path
from grafana.macros import Range  # noqa: E402

PICTURES = TOP / "docs" / "pictures"
HOUR = 3600
DAY = Range(datetime(2026, 11, 20, tzinfo=timezone.utc),
            datetime(2026, 11, 21, tzinfo=timezone.utc), HOUR)  # fmt: skip
WIDTH, HEIGHT, LEFT, TOP_MARGIN = 900, 420, 40, 40
COLOURS = ("#3366cc", "#dc3912", "#ff9900", "#109618", "#990099", "#0099c6", "#dd4477", "#66aa00",
           "#b82e2e", "#316395", "#994499", "#22aa99", "#aaaa11", "#6633cc", "#8b0707",
           "#555555")  # fmt: skip
NOTE = "Drawn by tools/draw_pictures.py from rows of the sample; not a screenshot."


def panel(board: str, title: str) -> Query:
    """The query of a dashboard's panel."""
    return next(query for query in panels_of(DASHBOARDS[board]) if query.name == title)


def text(x: float, y: float, words: str, size: int = 11, colour: str = "#333") -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}">{escape(words)}</text>'
    )


def picture(title: str, shapes: Iterable[str], note: str) -> str:
    """A whole SVG file."""
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'font-family="sans-serif" role="img" aria-label="{escape(title)}">')  # fmt: skip
    body = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', text(LEFT, 22, title, 15)]
    return "\n".join([head, *body, *shapes, text(LEFT, HEIGHT - 8, note, 10, "#777"), "</svg>", ""])


def events_by_service(rows: list[tuple[float, str, int]]) -> str:
    """Stacked bars, one an hour; rows of seconds since 1970, service, events."""
    services = sorted({row[1] for row in rows})
    colour = dict(zip(services, COLOURS * 2))
    heights: dict[int, int] = {}
    shapes = []
    most = max(sum(n for t, _, n in rows if t == moment) for moment in {row[0] for row in rows})
    step, tall = 25.0, (HEIGHT - TOP_MARGIN - 50) / most
    bottom = HEIGHT - 45
    for seconds, service, events in sorted(rows):
        hour = int((float(seconds) - DAY.start.timestamp()) / HOUR)
        heights[hour] = heights.get(hour, 0) + events
        shapes.append(
            f'<rect x="{LEFT + hour * step:.1f}" y="{bottom - heights[hour] * tall:.1f}" '
            f'width="{step - 3:.1f}" height="{events * tall:.1f}" fill="{colour[service]}"/>'
        )
    shapes += [text(LEFT + hour * step, bottom + 14, f"{hour:02}:00") for hour in range(0, 24, 3)]
    for number, service in enumerate(services):
        y = TOP_MARGIN + 10 + number * 19
        shapes.append(
            f'<rect x="660" y="{y - 9}" width="11" height="11" fill="{colour[service]}"/>'
        )
        shapes.append(text(678, y, service))
    return picture("Events by service, 2026-11-20, UTC", shapes, NOTE)


def sources(rows: list[tuple[float, float, str, int]]) -> str:
    """Circles where calls come from, on a net of degrees; rows of latitude, longitude, name, n."""

    def x(longitude: float) -> float:
        return LEFT + (longitude + 180) / 360 * (WIDTH - 2 * LEFT)

    def y(latitude: float) -> float:
        return TOP_MARGIN + (90 - latitude) / 180 * (HEIGHT - TOP_MARGIN - 40)

    lines = [(x(-180), y(n), x(180), y(n)) for n in range(-90, 91, 30)]
    lines += [(x(n), y(-90), x(n), y(90)) for n in range(-180, 181, 30)]
    shapes = [f'<path d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" stroke="#ddd"/>' for a, b, c, d in lines]
    for number, (latitude, longitude, name, events) in enumerate(rows, 1):
        radius = 4 + 2 * events**0.5
        above = y(latitude) - 14 if number % 2 else y(latitude) + 24
        shapes += [
            f'<circle cx="{x(longitude):.1f}" cy="{y(latitude):.1f}" r="{radius:.1f}" '
            f'fill="#3366cc" fill-opacity="0.5"/>',
            text(x(longitude) - 3, above, str(number)),
            text(x(-170), y(-10) + number * 17, f"{number}  {name}: {events}"),
        ]
    note = NOTE + " IP Geolocation by DB-IP, https://db-ip.com, CC BY 4.0."
    return picture("Sources of calls, 2026-11-20: events by city", shapes, note)


def draw(dsn: str) -> dict[str, str]:
    """The pictures' names and contents, from the sample's rows."""
    with psycopg.connect(dsn, autocommit=True) as db:
        services = db.execute(panel("overview", "Events by service").text(DAY).encode()).fetchall()
        cursor = db.execute(panel("map", "Sources").text(DAY).encode())
        names = [column.name for column in cursor.description or ()]
        found = [dict(zip(names, row)) for row in cursor]
    places = sorted((row["latitude"], row["longitude"], row["city"] or row["country_name"],
                     row["events"]) for row in found)  # fmt: skip
    return {
        "events_by_service.svg": events_by_service([(float(t), s, n) for t, s, n in services]),
        "sources.svg": sources(places),
    }


if __name__ == "__main__":
    for name, content in draw(sys.argv[1]).items():
        (PICTURES / name).write_text(content, "utf-8")
