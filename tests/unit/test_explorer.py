"""The explorer: printed figures alone, every text in three languages, one file that runs only its own script."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from harmonia.explorer.data import collect_page_data
from harmonia.explorer.page import render_page, write_explorer_page
from tests.unit.test_reports import home, released  # noqa: F401 fixtures


def triples(node):
    if isinstance(node, dict):
        return [one for value in node.values() for one in triples(value)]
    return [node] if isinstance(node, list) else []


def test_every_row_is_a_printed_figure(released):  # noqa: F811
    rows = [(row[0], row[1], row[2], row[3], row[7], row[5]) for row in collect_page_data(released)["rows"]]
    cube = released.cube
    printed = [
        (*key, None if value != value else int(value))
        for *key, value in cube[["indicator", "measure", "table", "of", "cell", "value"]].itertuples(index=False)
    ]
    assert rows == printed


def test_every_text_has_three_languages(released):  # noqa: F811
    actual = collect_page_data(released)
    named = triples(
        {name: actual[name] for name in ("words", "indicators", "tables", "measures")} | {"leading": actual["leading"]["label"]}
    )
    assert [one for one in named if len(one) != 3 or not all(one)] == []
    assert [row for row in actual["rows"] if len(row[4]) != 3 or not all(row[4]) or len({bool(note) for note in row[6]}) != 1] == []


def test_a_figure_that_is_not_shown_says_why(released):  # noqa: F811
    assert [row for row in collect_page_data(released)["rows"] if row[5] is None and not all(row[6])] == []


def test_the_page_runs_its_own_script_alone(released):  # noqa: F811
    page = render_page(released)
    digest = re.search(r"script-src 'sha256-([^']+)'", page)
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert digest and script
    assert base64.b64decode(digest.group(1)) == hashlib.sha256(script.group(1).encode()).digest()
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)


def test_text_of_a_release_cannot_close_the_data(released):  # noqa: F811
    actual = re.search(r'<script type="application/json" id="data">(.*?)</script>', render_page(released), re.DOTALL)
    assert actual
    assert json.loads(actual.group(1)) == collect_page_data(released)


def test_the_same_release_gives_the_same_page(released, tmp_path):  # noqa: F811
    assert write_explorer_page(released, tmp_path / "one").read_bytes() == write_explorer_page(released, tmp_path / "other").read_bytes()
