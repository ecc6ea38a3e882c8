"""What the asset checks look for, on small frames."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from pipelines.checks import delivery_tolerances, institutions, pipeline_wide
from pipelines.resources.lake import Tables
from schemas import findings

ACCOUNT = {"accepted": 5, "superseded": 1, "withdrawn": 0, "quarantined": 1, "structural": 1}


def _accounting(read: int) -> pd.DataFrame:
    return pd.DataFrame([{"delivery": "2013-Q1", "file": "rastet.csv", "read": read, **ACCOUNT}])


def test_a_row_too_many_is_seen() -> None:
    assert institutions.find_unbalanced_files(_accounting(8)).empty
    assert institutions.find_unbalanced_files(_accounting(9))["file"].tolist() == ["rastet.csv"]


def test_a_record_occurs_once_per_entity() -> None:
    lineage = pd.DataFrame(
        [
            ("case", "A", "accepted"),
            ("person", "A", "accepted"),
            ("case", "A", "superseded"),
            ("case", "B", "accepted"),
            ("case", "B", "accepted"),
        ],
        columns=["entity", "record_key", "status"],
    )
    assert institutions.count_records_with_several_accepted_states(lineage) == 1


def _found(rule: str, count: int, **more: str) -> pd.DataFrame:
    return findings.build_findings([{"rule": rule, **more}] * count).assign(state="new")


def test_a_rule_is_broken_beyond_its_tolerance_with_its_own_severity() -> None:
    few = delivery_tolerances.evaluate_tolerances_of_delivery("police", "2013-Q1", "complete", _found("cell-missing", 5), 100)
    assert (few.passed, few.partition) == (True, "2013-Q1")
    many = delivery_tolerances.evaluate_tolerances_of_delivery("police", "2013-Q1", "complete", _found("cell-missing", 6), 100)
    assert (many.passed, many.severity.value) == (False, "WARN")
    grave = delivery_tolerances.evaluate_tolerances_of_delivery("police", "2013-Q1", "complete", _found("row-cut", 3), 100)
    assert (grave.passed, grave.severity.value) == (False, "ERROR")


def test_one_finding_on_many_cells_counts_as_many() -> None:
    actual = delivery_tolerances.compare_findings_with_tolerances(_found("cell-code-unknown", 1, detail="1200: 2-1201"), 10_000)
    assert actual[["findings", "broken"]].to_numpy().tolist() == [[1200, True]]


def test_one_fault_of_a_whole_file_is_too_many_and_consequences_and_what_is_permitted_count_for_nothing() -> None:
    assert not delivery_tolerances.evaluate_tolerances_of_delivery("police", "2013-Q1", "complete", _found("file-truncated", 1), 100).passed
    assert delivery_tolerances.evaluate_tolerances_of_delivery(
        "police", "2013-Q1", "complete", _found("cell-missing", 50, origin="consequence"), 100
    ).passed
    assert delivery_tolerances.evaluate_tolerances_of_delivery(
        "police", "2013-Q1", "complete", _found("cell-code-spelling", 100), 100
    ).passed
    assert delivery_tolerances.evaluate_tolerances_of_delivery(
        "police", "2013-Q1", "complete", _found("cell-missing", 50).assign(state="accepted_as_is"), 100
    ).passed
    assert "Not applicable" in str(
        delivery_tolerances.evaluate_tolerances_of_delivery("police", "2013-Q1", "complete", _found("cell-missing", 0), 0).description
    )


def test_bytes_that_changed_or_went_are_seen(tmp_path: Path) -> None:
    kept, changed, gone = (hashlib.sha256(content).hexdigest() for content in (b"a", b"b", b"c"))
    for name, content in ((kept, b"a"), (changed, b"other")):
        (tmp_path / name[:2]).mkdir(exist_ok=True)
        (tmp_path / name[:2] / name).write_bytes(content)
    assert pipeline_wide.find_hashes_of_damaged_files([kept, changed, gone], tmp_path) == [changed, gone]


def test_a_record_lost_between_the_stages_is_seen() -> None:
    lineage = pd.DataFrame(
        {
            "institution": "police",
            "entity": ["case", "case", "person"],
            "status": ["accepted", "accepted", "superseded"],
            "record_key": list("abc"),
        }
    )
    records = pd.DataFrame({"institution": ["police"], "status": ["accepted"]})
    lost = pipeline_wide.count_lost_records(Tables({"case_records": records, "person_records": records.iloc[:0]}), lineage)
    assert lost[["entity", "accepted", "harmonised"]].to_numpy().tolist() == [["case", 2, 1]]


def test_a_record_without_case_or_person_is_counted_but_for_unknown_persons() -> None:
    lineage = pd.DataFrame(
        {
            "institution": "police",
            "delivery": "2013-Q1",
            "record_key": list("abcde"),
            "entity": ["case", "person", "person", "case", "person"],
            "status": ["accepted", "superseded", "accepted", "quarantined", "accepted"],
            "case_id": ["C1", "C1", None, None, "C1"],
            "person_id": [None, None, "P1", None, None],
        }
    )
    people = pd.DataFrame(
        {"institution": "police", "delivery": "2013-Q1", "record_key": list("bce"), "kind": ["natural", "natural", "unknown"]}
    )
    assert pipeline_wide.count_records_without_ids(lineage, people) == 2


def test_a_bridge_that_does_not_reach_is_seen() -> None:
    total = dict.fromkeys(["offence_group", "form", "sex", "age_group", "citizenship_group"], "total")
    statistics = pd.DataFrame(
        [
            {**total, "indicator": "a", "period": "2013", "as_reported": 10, "harmonised": 8},
            {**total, "indicator": "b", "period": "2013", "as_reported": 10, "harmonised": 9},
            {**total, "indicator": "c", "period": "2013", "as_reported": None, "harmonised": None},
        ]
    )
    bridge = pd.DataFrame({"indicator": ["a", "a"], "period": ["2013", "2013"], "n": [-3, 1]})
    assert pipeline_wide.find_bridges_that_do_not_add_up(statistics, bridge)["indicator"].tolist() == ["b"]
