"""The recipes of sql/recipes: what each finds in the sample, what it asks AWS for, its page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cloudtrail_fdw import render_recipes
from cloudtrail_fdw.sandbox import runtime
from cloudtrail_fdw.sandbox.events import SAMPLE
from cloudtrail_fdw.sources.disk.data_files import SAMPLES
from servers import TESTS, Sandbox, start

Db = psycopg.Connection[tuple[Any, ...]]
RECIPES = TESTS.parent / "sql" / "recipes"
OF_THE_DEMO = {"aws_or_somebody", "where_from"}  # shifted to now, so without a window
# The columns to look at, and their rows in any order.
ANSWERS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "volume_by_hour": (
        "count(*), sum(events)::int, sum(writes)::int, sum(failed)::int",
        [(18, 48, 19, 8)],  # one of the 49 was delivered twice
    ),
    "access_denied": (
        "user_identifier ~ 'deploy', count(*), count(DISTINCT error_code)",
        [(True, 6, 3), (False, 1, 1)],
    ),
    "first_seen": (
        "who, event_name, failed",
        [("arn:aws:iam::123456789012:user/deploy", "StopLogging", 1),
         ("111122223333", "AssumeRole", 0)],
    ),
    "regions": ("aws_region, events", [("eu-west-1", 1), ("us-west-2", 1)]),
    "key_activity": (
        "event_name, failed, addresses",
        [("RunInstances", 1, ["89.248.165.99"]), ("CreateRoute", 0, ["107.170.20.63"])],
    ),
    "key_origin": (
        "step, caller_access_key_id, ends_at", [(1, "AKIAEXAMPLELEAKED001", "person")]
    ),
    "session_timeline": (
        "event_name, after::text, source_ip_address",
        [("SwitchRole", None, "104.53.216.85"), ("CreateFlowLogs", "12:04:42", "AWS Internal")],
    ),
    "person_changes": (
        "event_name, user_arn",
        [("AuthorizeSecurityGroupIngress", "arn:aws:iam::123456789012:user/alice"),
         ("CreateFlowLogs", "arn:aws:sts::123456789012:assumed-role/admin/alice")],
    ),
    "console_people": (
        "event_name, match, source_ip_address, city",
        [("DescribeImages", "exact", "104.53.216.85", "Berkeley"),
         ("CreateFlowLogs", None, None, None)],
    ),
    "sign_ins": (
        "who, succeeded, failed, always_mfa, country_name",
        [("bob", 0, 2, None, "The Netherlands"),
         ("arn:aws:iam::123456789012:root", 1, 0, True, "United States")],
    ),
    "root_activity": ("event_name, mfa_used", [("ConsoleLogin", "Yes")]),
    "cross_account": (
        "caller, external_id, access_key_ids",
        [("AIDAEXAMPLEPARTNER001", "partner-7f3a", ["ASIAEXAMPLEPARTNER02"])],
    ),
    "where_from": ("ip, country_name", [("82.102.17.180", "Spain"), ("10.0.12.34", None)]),
    "aws_or_somebody": (
        "ip, aws_range_class, customer",
        [("54.240.200.68", "infrastructure", False), ("3.141.213.252", "ec2", True)],
    ),
    "address_activity": (
        "user_identifier, events, calls",
        [("arn:aws:iam::123456789012:user/deploy", 3,
          ["DescribeInstanceAttribute", "PutBucketPolicy", "StopLogging"]),
         ("AIDAEXAMPLEPARTNER001", 1, ["AssumeRole"])],
    ),
    "new_identities": (
        "event_name, success, by_whom",
        [("CreateAccessKey", False, "arn:aws:iam::123456789012:user/bob")],
    ),
    "made_public": (
        "event_name, resource, shared_with::text, with_everybody, success",
        [("PutBucketPolicy", "shop-uploads", '["*"]', True, False)],
    ),
    "secrets_read": (
        "event_name, failed, secret ~ '/shop/database/url|prod/database'",
        [("GetParameter", 0, True), ("GetSecretValue", 1, True)],
    ),
    "instances_started": (
        "event_name, error_code, instance_type, wanted::text",
        [("RunInstances", "Client.UnauthorizedOperation", "p4d.24xlarge", "[20]")],
    ),
    "opened_groups": (
        "group_id, from_port, cidr, success", [("sg-0fedcba9876543210", 22, "0.0.0.0/0", True)]
    ),
    "logging_touched": ("event_name, success", [("StopLogging", False)]),
    "still_usable": (
        "kind, credential, expires_at = '2026-11-20 20:15:22+00'",
        [("session", "ASIAEXAMPLEPARTNER02", True)],
    ),
    "alert_pattern": (
        "events_ignored::int, ignored, events_left_over::int",
        [(2, ["CloudTrail", "VPC Flow Logs"], 3)],
    ),
}  # fmt: skip
LONGER = {  # with more rows than those above
    "first_seen", "key_activity", "session_timeline", "console_people", "sign_ins", "where_from",
    "aws_or_somebody", "address_activity",
}  # fmt: skip


def text(name: str) -> str:
    return (RECIPES / f"{name}.sql").read_text("utf-8")


def test_every_recipe_has_an_answer_here() -> None:
    assert {file.stem for file in RECIPES.glob("*.sql")} == set(ANSWERS)


@pytest.fixture
def db(sample: Sandbox) -> Iterator[Db]:
    with sample.connect("reader_dsn") as connection:
        yield connection


@pytest.mark.parametrize("name", ANSWERS)
def test_recipe_answers_its_question(db: Db, name: str) -> None:
    recipe = text(name)
    assert recipe.startswith("-- ")
    assert recipe.partition("\n")[0].endswith("?")
    columns, wanted = ANSWERS[name]
    inner = recipe.rstrip().rstrip(";")
    group = " GROUP BY 1" if name == "access_denied" else ""
    found = db.execute(f"SELECT {columns} FROM ({inner}\n) AS r{group}").fetchall()
    answer = [row for row in found if row in wanted]
    assert sorted(map(str, answer)) == sorted(map(str, wanted)), found
    assert (len(found) > len(wanted)) == (name in LONGER), found


@pytest.mark.parametrize("name", sorted(ANSWERS.keys() - OF_THE_DEMO))
def test_what_is_asked_reaches_aws(db: Db, name: str) -> None:
    rows = db.execute("EXPLAIN (COSTS OFF) " + text(name)).fetchall()
    windows = [line.strip() for (line,) in rows if " of delivery" in line]
    assert windows
    for window in windows:
        assert window.startswith("Window: 2026-11-1")
        assert " to 2026-11-2" in window


def test_psql_runs_them_as_they_are(sample: Sandbox, tmp_path: Path) -> None:
    everything = tmp_path / "all.sql"
    everything.write_text("".join(f"\\i {RECIPES}/{name}.sql\n" for name in ANSWERS), "utf-8")
    printed = sample.psql(everything)
    assert printed.count(" row)\n") + printed.count(" rows)\n") == len(ANSWERS)
    assert "ERROR" not in printed


@pytest.fixture(scope="module")
def calls(kind: str) -> Iterator[Sandbox]:
    """A sandbox of automatic and forged calls, whose ip-ranges.json passes for the whole file."""
    ranges = json.loads((SAMPLES / "ip-ranges-sample.json").read_text("utf-8"))
    del ranges["sample"]
    folder = runtime.default_cache() / "tests" / "recipes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ip-ranges.json").write_text(json.dumps(ranges), "utf-8")
    events = folder / f"{kind}.jsonl"
    forged = TESTS / "data" / "who_and_where.jsonl"
    events.write_text(SAMPLE.read_text("utf-8") + forged.read_text("utf-8"), "utf-8")
    yield from start(kind, "recipes", "--events", str(events), "--data-directory", str(folder))


SINCE = "timestamptz '2026-11-20 00:00+00' AS since"
PREFERRED = "ARRAY['VPC Flow Logs', 'CloudTrail'] AS preferred"


@pytest.mark.parametrize(
    ("since", "preferred", "services"),
    [
        # the article's own event, of 2017
        ("2017-11-07", "VPC Flow Logs", {"VPC Flow Logs"}),
        ("2026-11-20", "CloudTrail,EC2 instance roles", {"CloudTrail", "EC2 instance roles"}),
        ("2026-11-20", "VPC Flow Logs,CloudTrail", {"VPC Flow Logs", "CloudTrail"}),
        ("2026-11-20", "EC2 Auto Scaling", {"EC2 Auto Scaling"}),
        ("2026-11-20", "AWS Config", {"AWS Config"}),
        ("2026-11-20", "Elastic Load Balancing", {"Elastic Load Balancing"}),
        ("2027-01-01", "", set()),  # nothing seen: all events alert
    ],
)
def test_the_alert_pattern_ignores_no_more_than_the_rule(
    calls: Sandbox, since: str, preferred: str, services: set[str]
) -> None:
    recipe = text("alert_pattern")
    assert recipe.count(SINCE) == recipe.count(PREFERRED) == 1
    until = {"2017-11-07": "2017-11-08", "2027-01-01": "2027-01-02"}.get(since, "2026-11-21")
    recipe = recipe.replace(SINCE, f"timestamptz '{since}' AS since").replace(
        PREFERRED, f"string_to_array('{preferred}', ',') AS preferred"
    ).replace("'2026-11-21 00:00+00'", f"'{until} 00:00+00'")  # fmt: skip
    with calls.connect("reader_dsn") as db:
        row = db.execute(recipe).fetchone()
        assert row is not None
        pattern, characters, ignored, named = row[:4]
        assert characters == len(pattern) <= 1024
        alerts = db.execute(
            "SELECT log_event_id, event_id FROM cloudtrail_event WHERE filter = %s", [pattern]
        ).fetchall()
        judged = db.execute(
            "SELECT e.log_event_id, o.is_aws_automatic, o.automatic_service"
            " FROM cloudtrail_event e LEFT JOIN cloudtrail_event_origin o"
            " ON o.event_id = e.event_id AND o.event_time = e.event_time"
        ).fetchall()
    alerting = {log_event_id for log_event_id, _ in alerts}
    quiet = [row for row in judged if row[0] not in alerting]
    assert all(automatic for _, automatic, _ in quiet), "a call that is nobody's own is ignored"
    assert {service for *_, service in quiet} >= services
    assert set(named or ()) >= services
    assert len({row[0] for row in quiet}) >= (ignored or 0)
    assert bool(quiet) == bool(services)


def page(top: Path, marks: str, recipes: str) -> dict[Path, str]:
    for folder in ("docs", "sql/recipes"):
        (top / folder).mkdir(parents=True)
    for name in recipes.split():
        (top / f"sql/recipes/{name}.sql").write_text(f"-- What is {name}?\nSELECT 1;\n", "utf-8")
    (top / "docs/recipes.md").write_text(marks, "utf-8")
    return render_recipes.recipes_page(top)


def test_the_page_shows_the_files(tmp_path: Path) -> None:
    found = page(tmp_path, "# R\n\n<!-- recipe:a -->\nold\n<!-- /recipe -->\n\nprose\n", "a")
    assert found == {
        Path("docs/recipes.md"): "# R\n\n<!-- recipe:a -->\n### What is a?\n\n"
        "[sql/recipes/a.sql](../sql/recipes/a.sql)\n\n"
        "```sql\n-- What is a?\nSELECT 1;\n```\n\n<!-- /recipe -->\n\nprose\n"
    }


@pytest.mark.parametrize(
    ("recipes", "words"), [("a b", "recipe:b --> .* is missing"), ("", "a.sql is no recipe")]
)
def test_a_recipe_without_its_mark_is_an_error(tmp_path: Path, recipes: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        page(tmp_path, "<!-- recipe:a -->\n<!-- /recipe -->\n", recipes)
