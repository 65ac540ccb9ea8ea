"""The pictures in docs are what the sample's rows draw."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.dom import minidom

from servers import Sandbox

TOP = Path(__file__).parents[2]


def test_pictures_are_of_real_rows(sample: Sandbox) -> None:
    spec = importlib.util.spec_from_file_location("draw", TOP / "tools" / "draw_pictures.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, content in module.draw(sample.state["reader_dsn"]).items():
        assert (TOP / "docs/pictures" / name).read_text("utf-8") == content, name
        assert minidom.parseString(content).documentElement.tagName == "svg"  # noqa: S318 - our own
        assert "not a screenshot" in content
