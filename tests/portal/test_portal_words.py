"""Every text of the portal in all languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from portal_world import World

PORTAL = Path(__file__).parents[2] / "portal"


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for key, inner in node.items():
            yield from _leaves(inner, f"{path}.{key}".strip("."))
    else:
        yield path, node


def test_every_text_is_there_in_three_languages_with_the_same_placeholders() -> None:
    for path, texts in (leaf for file in sorted(PORTAL.rglob("words.yaml")) for leaf in _leaves(yaml.safe_load(file.read_text("utf-8")))):
        assert isinstance(texts, list) and len(texts) == 3, f"{path}: {texts}"
        assert all(isinstance(text, str) and text.strip() for text in texts), path
        assert len({tuple(sorted(re.findall(r"\{\w*\}", text))) for text in texts}) == 1, path


def test_every_period_has_a_name_in_words(world: World) -> None:
    from portal.words import format_period

    named = {
        period: [format_period(period, language) for language in ("sq", "sr", "en")] for period in ("2013", "2013-H1", "2013-Q2", "2013-04")
    }
    assert named == {
        "2013": ["viti 2013", "2013. godina", "2013"],
        "2013-H1": ["gjashtëmujori i parë i vitit 2013", "prvo polugodište 2013. godine", "first half of 2013"],
        "2013-Q2": ["tremujori i dytë i vitit 2013", "drugo tromesečje 2013. godine", "second quarter of 2013"],
        "2013-04": ["prill 2013", "april 2013. godine", "April 2013"],
    }


def test_templates_hold_no_script_style_or_foreign_address() -> None:
    for template in PORTAL.rglob("*.html"):
        text = template.read_text("utf-8")
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://(?!www\.w3\.org)", text), template


def _recorded_actions() -> Iterator[str]:
    """The actions that the code writes into the audit log; of one with an object the verb and three dots."""
    places = {"record_access": 2, "record_own_access": 1, "record_action": 1}
    root = PORTAL.parent
    for path in (one for part in ("portal", "harmonia", "pipelines", "warehouse") for one in (root / part).rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            place = places.get(getattr(call.func, "id", ""))
            if place is None:
                continue
            for part in ast.walk(call.args[place]):
                if isinstance(part, ast.JoinedStr) and isinstance(part.values[0], ast.Constant):
                    yield f"{part.values[0].value}…"
            constants = [one for one in ast.walk(call.args[place]) if isinstance(one, ast.Constant)]
            if isinstance(call.args[place], ast.Constant):
                yield constants[0].value


def test_every_action_of_the_audit_log_has_a_text() -> None:
    texts = yaml.safe_load((PORTAL / "words.yaml").read_text("utf-8"))["audit_actions"]
    recorded = set(_recorded_actions())
    assert {"grant …", "sign a quarter", "explain …", "transmission"} <= recorded
    assert recorded - set(texts) == set()
