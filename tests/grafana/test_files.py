"""The files that Grafana reads are what it accepts."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import yaml

from grafana.dashboards import DASHBOARDS, FOLDER, RULES


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
def test_dashboard_is_well_formed(board: dict[str, Any]) -> None:
    assert 39 <= board["schemaVersion"] <= 41
    assert {"uid", "title", "time", "panels", "templating"} <= set(board)
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        cells = set(itertools.product(range(place["x"], place["x"] + place["w"]),
                                      range(place["y"], place["y"] + place["h"])))  # fmt: skip
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
        for target in panel.get("targets", ()):
            assert target["rawQuery"] is True
            assert target["refId"]
            assert (
                target["datasource"]
                == panel["datasource"]
                == {"type": "postgres", "uid": "cloudtrail"}
            )
    names = {variable["name"] for variable in board["templating"]["list"]}
    assert {"account", "region"} <= names
    shows_places = re.search(r"country|latitude|geo", json.dumps(panels))
    texts = [panel["options"]["content"] for panel in panels if panel["type"] == "text"]
    assert bool(shows_places) == any("https://db-ip.com" in text for text in texts)


def test_names_are_unique() -> None:
    for key in ("uid", "title"):
        assert len({board[key] for board in DASHBOARDS.values()}) == len(DASHBOARDS) == 6


def test_datasource_has_a_small_pool_and_no_password() -> None:
    path = FOLDER / "provisioning/datasources/cloudtrail.yaml"
    (source,) = yaml.safe_load(path.read_text("utf-8"))["datasources"]
    assert (source["uid"], source["type"], source["user"]) == ("cloudtrail", "postgres", "grafana")
    assert source["jsonData"]["maxOpenConns"] == source["jsonData"]["maxIdleConns"] == 5
    assert source["jsonData"]["database"]
    assert source["secureJsonData"]["password"].startswith("$__file{")


def test_alert_rules_are_well_formed() -> None:
    assert len({rule["uid"] for rule in RULES}) == len(RULES) == 2
    for rule in RULES:
        steps = {step["refId"]: step for step in rule["data"]}
        assert steps[rule["condition"]]["model"]["expression"] == "B"
        assert steps["B"]["model"]["expression"] == "A"
        assert steps["A"]["datasourceUid"] == "cloudtrail"
        assert (rule["noDataState"], rule["execErrState"]) == ("OK", "Error")
        assert all(step["model"]["refId"] == step["refId"] for step in rule["data"])
        text = rule["annotations"]["summary"] + rule["annotations"]["description"]
        assert "$" not in text  # provisioning would take it for an environment variable
        for label in re.findall(r"\.Labels\.(\w+)", text):
            assert f"AS {label}" in steps["A"]["model"]["rawSql"]
