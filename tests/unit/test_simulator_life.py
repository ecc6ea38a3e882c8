"""What registers do over the years, as the simulator writes it: read back from the files with plain readers, beside its own truth."""

from __future__ import annotations

import csv
import sqlite3
from collections import defaultdict
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from sources.simulator import simulate
from sources.simulator.register_life import KINDS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("life") / "set"
    simulate(folder, seed=21, start=2013, years=2, cases_per_year=80, noise="clean", life=["all"])
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def police(folder: Path, name: str) -> dict[str, list[dict[str, str]]]:
    """The rows of a police file by quarter, except in deliveries in another code page."""
    odd = {d["delivery"] for d in read(folder / "truth" / "defects.csv") if d["kind"] in ("file_cp852", "file_latin1")}
    found = {}
    for path in sorted((folder / "inbox" / "police").glob(f"*/{name}")):
        if path.parent.name not in odd:
            lines = path.read_text("cp1250").splitlines()
            found[path.parent.name] = list(csv.DictReader(lines, delimiter=";"))
    return found


def test_every_kind_happens(made: Path) -> None:
    kinds = {row["kind"] for row in read(made / "truth" / "defects.csv")}
    assert kinds == {
        *("late_entry", "unknown_person", "record_cancelled", "renumbered", "not_in_the_crosswalk", "place_names_another_person"),
        *("case_taken_over", "case_reopened", "last_year_table", "workbook_1904", "file_cp852", "file_latin1"),
    }


def test_late_cases_have_the_number_of_the_year_of_entry(made: Path) -> None:
    late = {row["record_key"] for row in read(made / "truth" / "defects.csv") if row["kind"] == "late_entry"}
    reported = {row["Nr_rastit"]: row["Data_raportimit"] for rows in police(made, "rastet.csv").values() for row in rows}
    assert late & set(reported)
    assert all(int(reported[number][-4:]) < int(number[:4]) for number in late & set(reported))


def test_cancelled_records_are_accepted_and_their_cases_count_nowhere(made: Path) -> None:
    cancelled = {row["record_key"] for row in read(made / "truth" / "defects.csv") if row["kind"] == "record_cancelled"}
    records = [row for row in read(made / "truth" / "records.csv") if row["entity"] == "case" and row["record_key"] in cancelled]
    assert {row["expected_status"] for row in records} <= {"accepted", "superseded"}
    alone = {row["case_id"] for row in records} - {
        row["case_id"] for row in read(made / "truth" / "records.csv") if row["entity"] == "case" and row["record_key"] not in cancelled
    }
    assert alone
    assert not alone & {row["case_id"] for row in read(made / "truth" / "events.csv")}


def test_unknown_persons_have_rows_and_no_person(made: Path) -> None:
    unknown = {row["record_key"] for row in read(made / "truth" / "defects.csv") if row["kind"] == "unknown_person"}
    without = {row["record_key"] for row in read(made / "truth" / "records.csv") if row["entity"] == "person" and not row["person_id"]}
    assert unknown and unknown == without


def test_a_place_that_the_last_list_lacks_is_superseded(made: Path) -> None:
    lists: dict[str, set[str]] = {}
    for rows in police(made, "personat.csv").values():
        of_case: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            of_case[row["Nr_rastit"]].add(f"{row['Nr_rastit']}/{row['Nr_rendor']}")
        lists |= of_case
    accepted: dict[str, set[str]] = defaultdict(set)
    for row in read(made / "truth" / "records.csv"):
        if (row["institution"], row["entity"], row["expected_status"]) == ("police", "person", "accepted"):
            accepted[row["record_key"].rpartition("/")[0]].add(row["record_key"])
    plain = {case: places for case, places in lists.items() if case in accepted}
    different = [case for case, places in plain.items() if accepted[case] != places]
    odd = {d["delivery"] for d in read(made / "truth" / "defects.csv") if d["kind"] in ("file_cp852", "file_latin1")}
    in_odd = {
        row["record_key"] for row in read(made / "truth" / "records.csv") if row["institution"] == "police" and row["delivery"] in odd
    }
    assert set(different) <= in_odd


def test_new_ids_are_in_the_crosswalk_or_stand_beside_the_old_ones(made: Path) -> None:
    crosswalk: dict[str, str] = {}
    for path in sorted((made / "inbox" / "prosecution").glob("*/psh.sqlite")):
        with sqlite3.connect(path) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'kryqezimi'").fetchone():
                crosswalk |= {str(old): str(new) for table, old, new in connection.execute("SELECT * FROM kryqezimi") if table == "lenda"}
    cases = [row for row in read(made / "truth" / "records.csv") if (row["institution"], row["entity"]) == ("prosecution", "case")]
    accepted = {row["record_key"] for row in cases if row["expected_status"] == "accepted"}
    assert crosswalk and not {old for old, new in crosswalk.items() if new in accepted} & accepted
    lacking = {row["record_key"] for row in read(made / "truth" / "defects.csv") if row["kind"] == "not_in_the_crosswalk"}
    assert lacking and not lacking & set(crosswalk.values())


def test_workbooks_of_1904_and_tables_of_last_year(made: Path) -> None:
    defects = {(row["delivery"], row["kind"]) for row in read(made / "truth" / "defects.csv") if row["institution"] == "inspectorate"}
    for path in sorted((made / "inbox" / "inspectorate").glob("*/raporti.xlsx")):
        book = openpyxl.load_workbook(path)
        first = [row[0].value for row in book["Lëndët"].iter_rows(max_col=1)]
        assert (book.epoch == CALENDAR_MAC_1904) == ((path.parent.name, "workbook_1904") in defects)
        assert ("Viti i kaluar" in first) == ((path.parent.name, "last_year_table") in defects)


def test_each_kind_alone_and_an_unknown_one(tmp_path: Path) -> None:
    for kind in KINDS:
        simulate(tmp_path / kind, seed=3, start=2013, years=1, cases_per_year=10, life=[kind])
    with pytest.raises(ValueError, match="register life 'ageing' is unknown"):
        simulate(tmp_path / "odd", years=1, cases_per_year=5, life=["ageing"])


def test_a_set_without_register_life_is_the_same_set(tmp_path: Path) -> None:
    for name, more in (("plain", {}), ("none", {"life": ()})):
        simulate(tmp_path / name, seed=4, years=1, cases_per_year=20, **more)  # type: ignore[arg-type]
    files = [sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("plain", "none")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]
