"""Differences of two releases: each unit that counts otherwise has its reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from sources import contract
from tests.release_world import VERSIONS, signed, source, units
from warehouse.disclosure import policy
from warehouse.releases.diff import find_exact_differences
from warehouse.releases.exact import convert_counts_to_frame, count_exact_figures
from warehouse.releases.reasons import ReleaseSnapshot, find_units_counted_differently, list_records_of_changed_units
from warehouse.releases.source import CODE_PARTS, collect_versions_of_parts

VICTIMS = "victims_identified"
PAIR = ["entity", "institution_a", "key_a", "institution_b", "key_b", "verdict"]


def record(unit: dict, delivery: str = "2013-Q1", **ids: str) -> dict:
    own = {"case_id": unit["case_id"], "person_id": unit["person_id"], **ids}
    return {"institution": "police", "entity": "person", "record_key": f"R{unit['person_id']}", "delivery": delivery, **own}


def snapshot(counted: list[dict], records: list[dict], judged: list[tuple] = (), **versions) -> ReleaseSnapshot:
    made = source(counted, [2013])
    return ReleaseSnapshot(
        made.tables["counted"], pd.DataFrame(records), pd.DataFrame(judged, columns=PAIR).astype("str"), {**VERSIONS, **versions}
    )


@pytest.fixture
def ten():
    counted = units(VICTIMS, 2013, (10, {}))
    return counted, [record(unit) for unit in counted]


def reasons(old: ReleaseSnapshot, new: ReleaseSnapshot) -> list[str]:
    return find_units_counted_differently(old, new)["reason"].tolist()


def test_a_record_delivered_for_the_first_time(ten):
    counted, records = ten
    assert reasons(snapshot(counted[:9], records[:9]), snapshot(counted, records)) == ["new_records"]


def test_a_corrected_delivery_withdraws_one_and_changes_another(ten):
    counted, records = ten
    corrected = [record(unit, "2013-Q1_v2") for unit in counted[:9]]
    after = [counted[0] | {"sex": "male"}, *counted[1:9]]
    assert reasons(snapshot(counted, records), snapshot(after, corrected)) == ["corrected_delivery"] * 3


def test_a_review_decision_makes_one_person_of_two(ten):
    counted, records = ten
    joined = [*records[:9], record(counted[9], person_id=counted[0]["person_id"])]
    said = [("person", "police", records[0]["record_key"], "police", records[9]["record_key"], "same")]
    old, new = snapshot(counted, records), snapshot(counted[:9], joined, said)
    assert reasons(old, new) == ["review"]


def test_a_changed_rule(ten):
    counted, records = ten
    changed = {"indicators": {**VERSIONS["indicators"], VICTIMS: "2"}}
    old, new = snapshot(counted, records), snapshot(counted[:9], records, **changed)
    assert reasons(old, new) == ["changed_rule"]


def test_another_linkage_model(ten):
    counted, records = ten
    assert reasons(snapshot(counted, records, model="1"), snapshot(counted[:8], records, model="2")) == ["changed_rule"] * 2


def test_every_difference_of_a_figure_adds_up_over_its_reasons(tmp_path, ten):
    programme = _programme(tmp_path)
    counted, records = ten
    new_units = units(VICTIMS, 2013, (2, {"sex": "male"}), start=10)
    later = [*counted[1:], *new_units]
    after = [*[record(u, "2013-Q1_v2") for u in counted[1:]], *[record(u, "2013-Q2") for u in new_units]]
    old, new = snapshot(counted, records), snapshot(later, after)
    frames = [convert_counts_to_frame(programme, count_exact_figures(programme, source(c, [2013]).tables)) for c in (counted, later)]
    found = find_exact_differences(programme, old, new, *frames)
    mine = found[(found["measure"] == "harmonised") & (found["indicator"] == VICTIMS)]
    assert mine["reason"].notna().all()
    total = mine[mine["table"] == "total"]
    assert dict(zip(total["reason"], total["change"], strict=True)) == {"corrected_delivery": -1, "new_records": 2}
    summed = mine.groupby(["table", "of", "cell"]).agg(before=("before", "first"), after=("after", "first"), change=("change", "sum"))
    assert (summed["after"] - summed["before"] == summed["change"]).all()


def test_the_records_behind_a_change_are_named(ten):
    counted, records = ten
    old, new = snapshot(counted[:9], records[:9]), snapshot(counted, records)
    assert list_records_of_changed_units(find_units_counted_differently(old, new), old, new)["record_key"].tolist() == [
        records[9]["record_key"]
    ]


def _programme(tmp_path):
    signed(tmp_path / "home")
    return policy.load_policy(tmp_path / "home").programme


def test_every_pattern_of_versioned_code_matches_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pattern of a folder that was moved would hide all changes below it."""
    for package, patterns in CODE_PARTS.values():
        for pattern in patterns:
            assert any(path.is_file() for path in Path(package.__path__[0]).glob(pattern)), pattern
    before = collect_versions_of_parts()["code"]
    assert {f"sources/{name}" for name in contract.institutions()} < set(before)
    copied = Path(shutil.copytree(contract.SOURCES / "police", tmp_path / "police"))
    (copied / "mapping.py").write_text((copied / "mapping.py").read_text("utf-8") + "\n", "utf-8")
    folders = {**contract.folder_by_institution(), "police": copied}
    monkeypatch.setattr(contract, "folder_by_institution", lambda: folders)
    after = collect_versions_of_parts()["code"]
    assert {part for part in before if before[part] != after[part]} == {"sources/police"}
