"""The demo's queries, on the demo's events."""

from __future__ import annotations

import pytest

from cloudtrail_fdw.cli import demo
from cloudtrail_fdw.errors import FdwError
from cloudtrail_fdw.sandbox import lifecycle
from servers import Sandbox


@pytest.mark.parametrize(
    ("recipe", "lines"),
    [
        (
            "where_from.sql",
            ["104.53.216.85  | North America  | United States", "82.102.17.180  | Europe"],
        ),
        (
            "aws_or_somebody.sql",
            ["| ec2             | t        | us-east-2", "| infrastructure  | f        | ap-north"],
        ),
    ],
)
def test_recipes_print_their_rows(
    sample: Sandbox, recipe: str, lines: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    server = lifecycle.choose_server(sample.state["server"], print)
    psql = [str(demo.psql_program(server)), sample.state["reader_dsn"]]
    demo.run_psql(server, psql, demo.SQL / "recipes" / recipe)
    printed = capfd.readouterr().out
    for line in lines:
        assert line in printed


def test_a_query_that_fails_fails_the_demo(
    sample: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    server = lifecycle.choose_server(sample.state["server"], print)
    psql = [str(demo.psql_program(server)), sample.state["reader_dsn"]]
    with pytest.raises(FdwError, match="psql could not run"):
        demo.run_psql(server, psql, demo.SQL / "20_wrapper.sql")
    assert "ERROR" in capfd.readouterr().err
