"""A comparison is valid until the institution's next quarter: whoever corrects fifty times learns nothing."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from harmonia.comparison import snapshots
from harmonia.comparison.agreements import make_matrix_allowing_all
from harmonia.comparison.evidence import EVIDENCE
from harmonia.comparison.permitted import make_comparison_findings, select_permitted_evidence
from harmonia.feedback.finding_states import determine_finding_states
from harmonia.registry import Registry, open_registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import ComparisonSnapshot

LINEAGE = pd.DataFrame(columns=["institution", "delivery", "record_key", "file", "part", "line", "status"], dtype="str")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = open_registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    yield opened
    opened.close()


def deliveries(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"institution": "police", "delivery": list(names), "period": [name[:7] for name in names], "state": "complete"})


def differs(*keys: str) -> pd.DataFrame:
    """Evidence against records of the police: their sex differs from the court's."""
    frame = pd.DataFrame({"receiver": "police", "record_key": list(keys), "sender": "courts", "sender_key": "s"})
    frame = frame.assign(what="sex", field="sex", same=False, group=1, apart=None, role="accused", status="final")
    return frame[list(EVIDENCE)].astype({"apart": "str", "group": "Int64"})


def states(registry: Registry, there: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """What the police read after a run in which the comparison would find `found`: delivery, record_key, rule, state."""
    early = pd.DataFrame(columns=["institution", "delivery"], dtype="str")
    snapshots.save_missing_evidence_snapshots(registry, snapshots.find_newest_ended_quarters(there, early), lambda: found)
    parts = [
        select_permitted_evidence(e.drop(columns="period"), make_matrix_allowing_all()).assign(period=p)
        for p, e in snapshots.load_evidence_snapshots(registry).groupby("period")
    ]
    rows = pd.concat(parts, ignore_index=True)
    lived = determine_finding_states(make_comparison_findings(rows, there, LINEAGE), there)
    return lived[["delivery", "record_key", "rule", "state"]]


@pytest.mark.slow
def test_fifty_corrections_change_nothing_whether_they_are_right_or_not(registry: Registry) -> None:
    names = ["2013-Q2"]
    first = states(registry, deliveries(*names), differs("a", "b"))
    for n in range(2, 52):
        names.append(f"2013-Q2_v{n}")
        right = differs("b") if n % 2 else differs("a", "b", "c")  # as if a value were corrected, or another one damaged
        after = states(registry, deliveries(*names), right)
        newest = after[after["delivery"] == names[-1]]
        assert newest["record_key"].tolist() == first["record_key"].tolist()
        assert set(newest["state"]) == {"remains"}
    assert "fixed" not in set(after["state"])


def test_the_next_quarter_is_compared_again(registry: Registry) -> None:
    states(registry, deliveries("2013-Q2"), differs("a", "b"))
    after = states(registry, deliveries("2013-Q2", "2013-Q3"), differs("b", "c"))
    now = after[after["delivery"] == "2013-Q3"].set_index("record_key")["state"]
    assert now[["b", "c"]].to_dict() == {"b": "remains", "c": "new"}


def test_a_quarter_that_had_not_ended_opens_no_round(registry: Registry) -> None:
    there = deliveries("2013-Q2", "2031-Q4")
    early = pd.DataFrame({"institution": ["police"], "delivery": ["2031-Q4"]})
    assert snapshots.find_newest_ended_quarters(there, early)["period"].tolist() == ["2013-Q2"]


def test_what_is_kept_is_what_was_found(registry: Registry) -> None:
    found = differs("a", "0012", "2013-PR-00001/2")
    snapshots.save_missing_evidence_snapshots(
        registry, snapshots.find_newest_ended_quarters(deliveries("2013-Q2"), deliveries()), lambda: found
    )
    kept = snapshots.load_evidence_snapshots(registry).drop(columns="period")
    pd.testing.assert_frame_equal(kept, found.astype(kept.dtypes.to_dict()))


def test_the_next_run_does_not_gather_again(registry: Registry) -> None:
    there = snapshots.find_newest_ended_quarters(deliveries("2013-Q2"), deliveries())
    assert snapshots.save_missing_evidence_snapshots(registry, there, lambda: differs("a")) == 1

    def never() -> pd.DataFrame:
        raise AssertionError("gathered twice")

    assert snapshots.save_missing_evidence_snapshots(registry, there, never) == 0


@pytest.mark.parametrize("packed", [False, True])
def test_a_round_that_an_earlier_version_kept_is_read(registry: Registry, packed: bool) -> None:
    found = differs("a", "0012").assign(apart=["courts,prosecution", None])
    said = json.dumps({"columns": list(found), "data": found.astype(object).where(found.notna(), None).to_numpy().tolist()})
    text = base64.b64encode(zlib.compress(said.encode(), 1)).decode() if packed else said
    with registry.write() as session:
        session.add(ComparisonSnapshot(institution="police", period="2013-Q2", at=now(), evidence=text))
    kept = snapshots.load_evidence_snapshots(registry).drop(columns="period")
    pd.testing.assert_frame_equal(kept, found.astype(kept.dtypes.to_dict()))
