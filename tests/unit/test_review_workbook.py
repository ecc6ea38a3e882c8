"""The workbook is exported completely and privately; on import each row is accepted or refused with a reason."""

from __future__ import annotations

import shutil
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from review_world import make_home

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.review import workbook
from harmonia.review.exchange import ImportedJudgements, export_pairs, import_judgements
from harmonia.review.judgements import combine_judgements, read_judgements
from harmonia.review.pairs import PAIR
from harmonia.review.published import PublishedRun, find_last_published_run, open_home_registry
from harmonia.review.queue import list_doubtful_pairs
from pipelines.resources.workplace import Workplace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home, and a workbook of its queue."""
    root = tmp_path_factory.mktemp("review")
    home = make_home(root / "home")
    found, registry = look(home)
    pairs = list_doubtful_pairs(found, registry, True).head(8)
    assert len(pairs) >= 4
    export_pairs(found, registry, root / "out.xlsx", pairs.drop(columns=["pair", "state", "touched", "reasons"]), 0, True, "tester")
    registry.close()
    return home.root, root / "out.xlsx"


@pytest.fixture
def world(made: tuple[Path, Path], tmp_path: Path) -> tuple[Home, Path]:
    home, book = made
    shutil.copytree(home, tmp_path / "home")
    shutil.copy(book, tmp_path / "in.xlsx")
    return Home(tmp_path / "home"), tmp_path / "in.xlsx"


def look(home: Home) -> tuple[PublishedRun, object]:
    registry = open_home_registry(Workplace.from_paths(None, home.root))
    return find_last_published_run(home, registry), registry


def taken(home: Home, path: Path) -> ImportedJudgements:
    found, registry = look(home)
    try:
        return import_judgements(found, registry, path)
    finally:
        registry.close()


def entered(home: Home) -> pd.DataFrame:
    _, registry = look(home)
    try:
        return read_judgements(registry)
    finally:
        registry.close()


def edit(path: Path, change: Callable[[Worksheet, dict[str, int]], None]) -> None:
    book = openpyxl.load_workbook(path)
    sheet = book["Pairs"]
    change(sheet, {cell.value: cell.column for cell in sheet[1]})
    book.save(path)


def judge_all(sheet: Worksheet, at: dict[str, int]) -> None:
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, at["verdict"]).value = "Same"
        sheet.cell(row, at["steward"]).value = " Ana  K."


def test_it_is_private_protected_and_offers_the_verdicts(made):
    path = made[1]
    assert path.stat().st_mode & 0o777 == 0o600
    book = openpyxl.load_workbook(path)
    sheet = book["Pairs"]
    assert sheet.protection.sheet
    at = {cell.value: cell.column for cell in sheet[1]}
    assert sheet.cell(2, at["pair"]).protection.locked
    assert not any(sheet.cell(2, at[column]).protection.locked for column in ("verdict", "why", "steward"))
    assert sheet.data_validations.dataValidation[0].formula1 == '"same,different,unsure,withdrawn"'
    help_sheet = book[book.sheetnames[1]]
    text = " ".join(str(cell.value) for cell in help_sheet["A"] if cell.value)
    assert all(language in text for language in ("Shqip", "Srpski", "English"))


def test_it_replaces_no_file_that_is_there(made):
    with pytest.raises(HarmoniaError, match="exists already"):
        workbook.write_workbook(made[1], pd.DataFrame({c: [] for c in ["pair", *PAIR]}), [], workbook.WorkbookOrigin("", 1, "", 0))


def test_delivered_text_is_never_a_formula(tmp_path):
    rows = pd.DataFrame(
        [("p", "person", "police", "=1+1", "courts", "@x", "=HYPERLINK(1)", "#N/A")], columns=["pair", *PAIR, "name a", "name b"]
    )
    workbook.write_workbook(tmp_path / "x.xlsx", rows, ["name"], workbook.WorkbookOrigin("m", 1, "v", 0))
    sheet = openpyxl.load_workbook(tmp_path / "x.xlsx")["Pairs"]
    assert {cell.data_type for cell in sheet[2] if cell.value is not None} == {"s"}


def test_what_is_filled_in_is_taken_once(world):
    home, path = world
    edit(path, judge_all)
    done = taken(home, path)
    found = entered(home)
    assert (done.entered, len(done.refused), done.open) == (len(found), 0, 0)
    assert set(found["verdict"]) == {"same"}
    assert set(found["steward"]) == {"Ana K."}
    assert found["weight"].notna().all()
    again = taken(home, path)
    assert (again.entered, again.known) == (0, len(found))
    assert len(entered(home)) == len(found)


def test_rows_without_a_verdict_stay_open(world):
    home, path = world
    done = taken(home, path)
    assert (done.entered, len(done.refused)) == (0, 0)
    assert done.open > 0


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("pair", "person-aaaaaaaaaaaa", "changed in the file"),
        ("key_a", "2013-PR-99999", "changed in the file"),
        ("entity", "dog", "changed in the file"),
        ("checksum", "00000000", "changed in the file"),
        ("name a", "Somebody Else", "changed in the file"),
        ("verdict", "maybe", "verdict [maybe] is unknown"),
        ("verdict", "=A1", "contains a formula (verdict)"),
        ("verdict", None, "but no verdict"),
        ("steward", None, "steward is empty"),
        ("steward", "x" * 150, "shorten it"),
        ("why", "y" * 2500, "shorten it"),
    ],
)
def test_a_row_that_cannot_be_taken_is_refused_with_a_reason_and_the_others_are_imported(world, column, value, said):
    home, path = world
    edit(path, judge_all)

    def spoil(sheet: Worksheet, at: dict[str, int]) -> None:
        sheet.cell(3, at[column]).value = value

    edit(path, spoil)
    done = taken(home, path)
    assert done.refused["row"].tolist() == [3]
    assert said in done.refused["why_not"].iloc[0]
    assert done.entered == len(entered(home)) > 0


def test_a_pair_in_two_rows_is_imported_from_neither(world):
    home, path = world
    edit(path, judge_all)

    def copy_row(sheet: Worksheet, at: dict[str, int]) -> None:
        last = sheet.max_row + 1
        for column in range(1, sheet.max_column + 1):
            sheet.cell(last, column).value = sheet.cell(2, column).value
        sheet.cell(last, at["verdict"]).value = "different"

    edit(path, copy_row)
    done = taken(home, path)
    assert len(done.refused) == 2
    assert done.refused["why_not"].str.contains("more than once").all()


def test_rows_may_be_sorted_and_numbers_come_back_as_numbers(world):
    home, path = world
    edit(path, judge_all)

    def shuffle(sheet: Worksheet, at: dict[str, int]) -> None:
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        for number, row in enumerate(reversed(rows), start=2):
            for column, value in enumerate(row, start=1):
                whole = isinstance(value, str) and value.isdigit() and not value.startswith("0") and column == at["key_b"]
                sheet.cell(number, column).value = float(value) if whole else value

    edit(path, shuffle)
    assert taken(home, path).refused.empty


def test_records_that_changed_or_went_since_are_reported(world):
    home, path = world
    edit(path, judge_all)
    persons = home.lake / "canonical" / "person_records.parquet"
    frame = pd.read_parquet(persons)
    frame["sex"] = "female"
    frame.to_parquet(persons)
    done = taken(home, path)
    assert done.entered == 0 or done.refused["why_not"].str.contains("changed since run").any()
    for name in ("persons", "cases"):
        links = home.lake / "links" / f"{name}.parquet"
        pd.read_parquet(links).iloc[:0].to_parquet(links)
    gone = taken(home, path)
    assert gone.refused["why_not"].str.contains("is no longer delivered").all()


def test_a_workbook_of_another_home_is_refused(world, tmp_path):
    _, path = world
    with pytest.raises(HarmoniaError, match="another home"):
        taken(make_home(tmp_path / "other", 4), path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_what_is_no_workbook_is_refused_in_one_line(world, content):
    home, path = world
    path.write_bytes(content)
    with pytest.raises(HarmoniaError, match="not a readable workbook"):
        taken(home, path)


def test_other_workbooks_and_changed_columns_are_refused(world, tmp_path):
    home, path = world
    openpyxl.Workbook().save(tmp_path / "empty.xlsx")
    with pytest.raises(HarmoniaError, match="not a review workbook"):
        taken(home, tmp_path / "empty.xlsx")
    edit(path, lambda sheet, at: sheet.delete_cols(at["checksum"]))
    with pytest.raises(HarmoniaError, match="columns were changed"):
        taken(home, path)
    with pytest.raises(HarmoniaError, match="cannot be read"):
        taken(home, tmp_path / "absent.xlsx")


def test_a_bomb_is_not_unpacked(world):
    home, path = world
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/workbook.xml", b"0" * 210_000_000)
    with pytest.raises(HarmoniaError, match="unpacks to"):
        taken(home, path)


def test_two_stewards_importing_at_once_both_succeed(world, tmp_path):
    home, path = world
    edit(path, judge_all)
    other = tmp_path / "other.xlsx"
    shutil.copy(path, other)

    def rename(sheet: Worksheet, at: dict[str, int]) -> None:
        for row in range(2, sheet.max_row + 1):
            sheet.cell(row, at["steward"]).value = "Bo"
            sheet.cell(row, at["verdict"]).value = "different"

    edit(other, rename)
    done: list[ImportedJudgements] = []
    threads = [threading.Thread(target=lambda p=p: done.append(taken(home, p))) for p in (path, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = entered(home)
    assert sum(one.entered for one in done) == len(found)
    assert found.groupby("steward").size().nunique() == 1
    assert set(combine_judgements(found)["verdict"]) == {"disputed"}
