"""What `harmonia check` shows in a terminal."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from rich.console import Console

from harmonia.feedback.console import render_check_result
from harmonia.feedback.texts import load_feedback_texts
from schemas import findings
from schemas.findings import LANGUAGES, rules

FILES = pd.DataFrame({"file": ["rastet.csv"], "state": ["complete"], "read": [3], "accepted": [2], "structural": [1]})


def row(rule: str, **more: object) -> dict[str, object]:
    base = {"institution": "police", "delivery": "2012-Q4", "file": "rastet.csv", "line": 17, "record_key": "2012-PR-00001"}
    return {**base, "field": "Data_raportimit", "rule": rule, "value": "Arben Krasniqi", **more}


def shown(*rows: dict[str, object], language: str = "en") -> str:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=True, color_system=None).print(
        render_check_result(findings.build_findings(rows), FILES, language)
    )
    return out.getvalue()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_finding_is_reported_with_line_record_field_and_what_to_do(language: str) -> None:
    text = shown(row("cell-date-impossible"), language=language)
    for part in ("rastet.csv", "17", "2012-PR-00001", "Data_raportimit", rules()["cell-date-impossible"].action[language]):
        assert part in text


def test_the_most_serious_comes_first_and_every_finding_has_its_row() -> None:
    rows = [row("cell-missing", line=n) for n in range(1000, 1040)]
    text = shown(*rows, row("cell-date-future"), row("cell-key-unreadable"))
    titles = [text.index(load_feedback_texts("en")["severities"][severity]) for severity in ("reject", "error", "warning")]
    assert titles == sorted(titles)
    assert all(str(n) in text for n in range(1000, 1040))


def test_what_the_form_permits_is_one_line() -> None:
    text = shown(*(row("cell-reference-spelling", line=n) for n in range(1000, 1040)))
    assert "40" in text
    assert "1007" not in text
    assert load_feedback_texts("en")["none"] in text


def test_delivered_values_and_control_characters_do_not_reach_the_terminal() -> None:
    text = shown(row("cell-missing", field="[red]\x1b[2Jx", file="a\x07"))
    assert "Arben" not in text
    assert "[red]" in text
    assert "\x07" not in text
    assert "\x1b[2J" not in text


def test_nothing_found_says_so() -> None:
    assert load_feedback_texts("sq")["none"] in shown(language="sq")
