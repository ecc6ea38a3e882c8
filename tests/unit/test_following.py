"""Findings followed some at a time are the findings followed at once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from harmonia.feedback import answers
from harmonia.feedback.finding_states import determine_finding_states
from harmonia.home import Home
from harmonia.registry import open_registry
from pipelines.assets import finding_states
from pipelines.resources import lake
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace
from pipelines.units import add_units_by_record
from schemas import findings

_CAME = pd.DataFrame({"institution": "police", "delivery": ["2012-Q1", "2012-Q1_v2", "2012-Q2"]})


def _found(*rows: tuple[str, str | None, int | None], **more: object) -> pd.DataFrame:
    base = {"institution": "police", "file": "rastet.csv", "field": "Komuna", "rule": "cell-date-impossible", **more}
    return findings.build_findings([{**base, "delivery": delivery, "record_key": key, "line": line} for delivery, key, line in rows])


def _lineage() -> pd.DataFrame:
    keys = [("2012-Q1", "a"), ("2012-Q1", "b"), ("2012-Q1_v2", "a"), ("2012-Q2", "b"), ("2012-Q2", "c")]
    frame = pd.DataFrame(keys, columns=["delivery", "record_key"], dtype="str")
    return frame.assign(institution="police", part=pd.Series(None, index=frame.index, dtype="str"), status="accepted").assign(
        unit=frame["record_key"].map({"a": "North", "b": "South"}), number=frame["record_key"].map({"a": "1/12"})
    )


@pytest.mark.parametrize("at_a_time", [1, 2, 100])
def test_some_at_a_time_is_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_a_time: int) -> None:
    monkeypatch.setattr(finding_states, "_BATCH_ROWS", at_a_time)
    own = _found(("2012-Q1", "a", 3), ("2012-Q1", "b", 4), ("2012-Q1_v2", "a", 9), ("2012-Q1", None, None), ("2012-Q2", "c", 1))
    others = _found(("2012-Q1", "b", 4), ("2012-Q2", "b", 2), ("2012-Q9", "b", 1), rule="check-sex", severity="warning")
    place = Workplace(tmp_path, Home(tmp_path))
    registry = open_registry(f"sqlite:///{tmp_path}/registry.sqlite")
    said = answers.read_answers(registry)
    registry.close()
    standing = Tables({"findings": own, "deliveries": _CAME, "lineage": _lineage()})

    made, counts = finding_states.write_finding_states(place, standing, Tables({"findings": others}), said, b"key")

    every = add_units_by_record(pd.concat([own, others], ignore_index=True), _lineage())
    expected = answers.apply_answers(determine_finding_states(every, _CAME, _lineage()), said, b"key")
    pd.testing.assert_frame_equal(lake.read_tables(made.folder)["findings"], expected)
    assert {"fixed", "remains", "new"} <= set(expected["state"])
    assert expected["unit"].notna().sum() > 0
    assert counts.set_index(["institution", "severity", "state"])["findings"].to_dict() == (
        expected.groupby(["institution", "severity", "state"]).size().to_dict()
    )


def test_a_finding_of_a_party_is_not_placed_where_the_file_of_its_number_is() -> None:
    columns = ["institution", "record_key", "part", "unit", "number"]
    held = [
        ("prosecution", "11", "pala", "Pejë", "2/13"),
        ("prosecution", "11", "lenda", "Prizren", "1/13"),
        ("police", "11", None, "N", "3/13"),
    ]
    lineage = pd.DataFrame(held, columns=columns).astype("str")
    found = pd.concat(
        [
            *(_found(("2013-Q1", "11", None), institution="prosecution", part=part) for part in ("lenda", "pala", "akuza", "vendimi")),
            _found(("2013-Q1", "11", 4)),
        ],
        ignore_index=True,
    )
    assert add_units_by_record(found, lineage)["unit"].tolist() == ["Prizren", "Pejë", "Pejë", "Prizren", "N"]
