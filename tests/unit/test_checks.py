"""What the asset checks look for, on small frames."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from pipelines.checks import institutions, whole

ACCOUNT = {"accepted": 5, "superseded": 1, "withdrawn": 0, "quarantined": 1, "structural": 1}


def _accounting(read: int) -> pd.DataFrame:
    return pd.DataFrame([{"delivery": "2013-Q1", "file": "rastet.csv", "read": read, **ACCOUNT}])


def test_a_row_too_many_is_seen() -> None:
    assert institutions.rows_that_do_not_add_up(_accounting(8)).empty
    assert institutions.rows_that_do_not_add_up(_accounting(9))["file"].tolist() == ["rastet.csv"]


def test_a_record_stands_once_per_entity() -> None:
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
    assert institutions.keys_that_stand_twice(lineage) == 1


def test_shares_are_of_the_data_rows_and_not_applicable_without_any() -> None:
    assert institutions.quarantined_share(_accounting(8)) == 1 / 7
    assert institutions.quarantined_share(_accounting(8).iloc[:0]) is None
    found = pd.DataFrame({"rule": ["cell-code-unknown", "cell-date-unreadable"]})
    assert institutions.unknown_share(found, 10) == 0.1
    assert institutions.unknown_share(found, 0) is None


def test_bytes_that_changed_or_went_are_seen(tmp_path: Path) -> None:
    kept, changed, gone = (hashlib.sha256(content).hexdigest() for content in (b"a", b"b", b"c"))
    for name, content in ((kept, b"a"), (changed, b"other")):
        (tmp_path / name[:2]).mkdir(exist_ok=True)
        (tmp_path / name[:2] / name).write_bytes(content)
    assert whole.damaged([kept, changed, gone], tmp_path) == [changed, gone]


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
    lost = whole.lost_records({"case_records": records, "person_records": records.iloc[:0]}, lineage)
    assert lost[["entity", "accepted", "harmonised"]].to_numpy().tolist() == [["case", 2, 1]]


def test_a_record_without_case_or_person_is_counted() -> None:
    lineage = pd.DataFrame(
        {
            "entity": ["case", "person", "person", "case"],
            "status": ["accepted", "superseded", "accepted", "quarantined"],
            "case_id": ["C1", "C1", None, None],
            "person_id": [None, None, "P1", None],
        }
    )
    assert whole.without_identity(lineage) == 2


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
    assert whole.bridge_gaps(statistics, bridge)["indicator"].tolist() == ["b"]
