"""What goes wrong with the prosecution's database, and that as much as can be read of it is read."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from reader_world import PSH, cells, deliver, psh, read, rules

from sources.readers import dump
from sources.readers.result import ReadResult

TABLES = ("lenda", "pala", "akuza", "vendimi")


def _with(folder: Path, change: Callable[[sqlite3.Connection], None], rows: int = 0) -> ReadResult:
    folder.mkdir(exist_ok=True)
    psh(folder / "psh.sqlite", rows)
    db = sqlite3.connect(folder / "psh.sqlite")
    change(db)
    db.commit()
    db.close()
    return read("prosecution", folder)


def test_values_are_text_and_children_know_their_parents(tmp_path: Path) -> None:
    psh(tmp_path / "psh.sqlite")
    result = read("prosecution", tmp_path)
    assert result.tables["lenda"]["lenda_id"].tolist() == ["11", "12"]
    assert result.tables["lenda"]["nr_burimit"].isna().tolist() == [False, True]
    assert result.tables["lenda"]["_line"].isna().all()
    cases, people, charges = (result.tables[t] for t in ("lenda", "pala", "akuza"))
    assert people["_parent"].tolist() == [cases["_row"][0], cases["_row"][0], cases["_row"][1]]
    assert charges["_parent"].tolist() == [people["_row"][0], people["_row"][0], people["_row"][2]]
    assert not list(tmp_path.glob("psh.sqlite-*"))


def test_numbers_keep_their_form(tmp_path: Path) -> None:
    def change(db: sqlite3.Connection) -> None:
        db.execute(
            "CREATE TABLE p (pala_id INTEGER PRIMARY KEY, lenda_id, roli, emri_mbiemri, emri_babait, nr_personal, datelindja, gjinia)"
        )
        db.execute("DROP TABLE pala")
        db.execute("ALTER TABLE p RENAME TO pala")
        db.execute("INSERT INTO pala VALUES (21, 11, 'D', 'Gëzim', '', 1440509416.0, NULL, 1)")

    result = _with(tmp_path, change)
    row = result.tables["pala"].iloc[0]
    assert (row["nr_personal"], row["gjinia"], row["lenda_id"]) == ("1440509416.0", "1", "11")
    assert row[["emri_babait", "datelindja", "shtetesia"]].isna().all()
    assert {f["field"] for f in result.findings} == {"shtetesia", "komuna"}


@pytest.mark.parametrize(
    ("sql", "rule", "state"),
    [
        ("CREATE TABLE perdoruesi (id INTEGER, fjalekalimi TEXT)", "db-table-extra", "complete"),
        ("ALTER TABLE lenda ADD COLUMN shenim TEXT", "file-column-extra", "complete"),
        ("ALTER TABLE lenda RENAME COLUMN nr_lendes TO numri_lendes", "file-column-renamed", "complete"),
        ("ALTER TABLE vendimi RENAME TO Vendimi_", "db-table-renamed", "complete"),
        ("ALTER TABLE vendimi RENAME TO decisions", "db-table-renamed", "complete"),
        ("DROP TABLE vendimi", "db-table-missing", "partial"),
    ],
)
def test_another_schema_is_read_and_said(sql: str, rule: str, state: str, tmp_path: Path) -> None:
    result = _with(tmp_path, lambda db: db.execute(sql) and None)
    assert (rules(result), result.state) == ({rule}, state)
    assert len(result.tables["lenda"]) == 2
    assert len(result.tables["vendimi"]) == (0 if state == "partial" else 2)


def test_a_view_can_replace_a_table(tmp_path: Path) -> None:
    def change(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE vendimi RENAME TO baza")
        db.execute("CREATE VIEW vendimi AS SELECT * FROM baza")

    result = _with(tmp_path, change)
    assert len(result.tables["vendimi"]) == 2
    assert rules(result) == {"db-view", "db-table-extra"}


def test_a_view_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.readers.database._PATIENCE", 0.2)

    def change(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE vendimi")
        db.execute("CREATE VIEW vendimi AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS i FROM n")

    result = _with(tmp_path, change)
    assert len(result.tables["lenda"]) == 2
    assert result.state == "partial"


@pytest.mark.parametrize(
    "view",
    [
        "WITH RECURSIVE n(t) AS (SELECT hex(zeroblob(1000)) UNION ALL SELECT t FROM n) SELECT t FROM n",  # rows without end
        "SELECT zeroblob(900000000) FROM (SELECT 1 UNION ALL SELECT 2)",  # a cell of a gigabyte
        "SELECT a.*, b.*, c.* FROM sqlite_master a, sqlite_master b, sqlite_master c, big d, big e, big f, big g, big h",
    ],
)
def test_a_view_that_makes_more_than_the_file_can_hold_takes_no_memory(tmp_path: Path, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.readers.database._PATIENCE", 1e9)  # not time ends it

    def change(db: sqlite3.Connection) -> None:
        db.execute("DROP TABLE vendimi")
        db.execute("CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i FROM n")
        db.execute(f"CREATE VIEW vendimi AS {view}")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = _with(tmp_path, change)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 << 10  # KiB
    assert len(result.tables["lenda"]) == 2
    assert result.state == "partial"


def test_text_that_is_no_utf_8(tmp_path: Path) -> None:
    result = _with(
        tmp_path, lambda db: db.execute("UPDATE pala SET emri_mbiemri = CAST(x'47EB7A696D' AS TEXT) WHERE pala_id = 21") and None
    )
    assert result.tables["pala"]["emri_mbiemri"][0] == "Gëzim"
    assert rules(result) == {"db-text-encoding"}


@pytest.mark.parametrize("page", ["windows-1250", "cp852", "mac-croatian"])
def test_the_code_page_of_text_that_is_no_utf_8_is_recognised_from_the_whole_database(page: str, tmp_path: Path) -> None:
    def change(db: sqlite3.Connection) -> None:
        for key, name in ((21, "Gëzim Šehu"), (22, "Žarko Đorđević")):
            db.execute(f"UPDATE pala SET emri_mbiemri = CAST(x'{name.encode(page).hex()}' AS TEXT) WHERE pala_id = {key}")

    result = _with(tmp_path, change)
    assert result.tables["pala"]["emri_mbiemri"].tolist()[:2] == ["Gëzim Šehu", "Žarko Đorđević"]
    assert [(f["rule"], f["part"], f["field"], f["detail"]) for f in result.findings] == [
        ("db-text-encoding", "pala", "emri_mbiemri", page)
    ]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9, 0.99])
def test_of_a_file_cut_short_the_pages_that_are_there_are_read(share: float, tmp_path: Path) -> None:
    psh(tmp_path / "psh.sqlite", rows=3000)
    data = (tmp_path / "psh.sqlite").read_bytes()
    (tmp_path / "psh.sqlite").write_bytes(data[: int(len(data) * share)])
    result = read("prosecution", tmp_path)
    assert result.state == "partial"
    assert rules(result) >= {"db-damaged"}
    found = len(result.tables["lenda"])
    assert 3002 * share * 0.7 < found < 3002
    assert result.tables["lenda"]["lenda_id"].is_unique
    assert result.tables["lenda"]["nr_lendes"].str.match(r"PP\.I").all()


def test_a_page_overwritten_in_the_middle_costs_its_rows_only(tmp_path: Path) -> None:
    psh(tmp_path / "psh.sqlite", rows=3000)
    data = bytearray((tmp_path / "psh.sqlite").read_bytes())
    page = 4096
    data[20 * page : 21 * page] = b"\xff" * page
    (tmp_path / "psh.sqlite").write_bytes(data)
    result = read("prosecution", tmp_path)
    assert result.state == "partial"
    assert 2900 < len(result.tables["lenda"]) < 3002


def test_salvage_of_a_whole_file_gives_what_sql_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    psh(tmp_path / "psh.sqlite", rows=2000)
    db = sqlite3.connect(tmp_path / "psh.sqlite")
    db.execute("UPDATE pala SET emri_mbiemri = ? WHERE pala_id = 22", ("Mërgime " * 3000,))
    db.commit()
    db.close()
    whole = read("prosecution", tmp_path)

    def fail(*_: object) -> None:
        raise sqlite3.DatabaseError("malformed")

    monkeypatch.setattr("sources.readers.database._query_all_tables", fail)
    saved = read("prosecution", tmp_path)
    for table in TABLES:
        assert cells(saved.tables[table]) == cells(whole.tables[table])


def _dump(rows: dict[str, list[tuple[object, ...]]] | None = None) -> bytes:
    columns = {t: [c.split()[0] for c in spec.split(", ")] for t, (spec, _) in PSH.items()}
    return dump.write_dump(rows or {t: list(values) for t, (_, values) in PSH.items()}, columns)


def test_a_dump_reads_like_the_database(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    psh(tmp_path / "a" / "psh.sqlite")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "psh.dump").write_bytes(_dump())
    (tmp_path / "b" / "psh.url").write_text("HARMONIA_PSH_URL\n")
    one, other = read("prosecution", tmp_path / "a"), read("prosecution", tmp_path / "b")
    assert other.findings == []
    assert {t: cells(one.tables[t]) for t in TABLES} == {t: cells(other.tables[t]) for t in TABLES}


def test_a_dump_is_the_same_whatever_the_order_of_rows() -> None:
    assert _dump({t: list(values)[::-1] for t, (_, values) in PSH.items()}) == _dump()


@pytest.mark.parametrize("line", ["x", "[]", '["lenda", 1]', '["nope", 1, 2]', '["lenda", "\\ud800", 1, 2, 3, 4, 5, 6, 7]', "[" * 100_000])
def test_a_broken_line_of_a_dump_is_set_aside(line: str, tmp_path: Path) -> None:
    (tmp_path / "psh.dump").write_bytes(_dump() + line.encode() + b"\n")
    result = read("prosecution", tmp_path)
    assert result.state == "partial"
    assert result.unreadable["rule"].tolist() == ["db-row-unreadable"]
    assert len(result.tables["lenda"]) == 2


def test_a_pointer_that_was_not_landed(tmp_path: Path) -> None:
    (tmp_path / "psh.url").write_text("HARMONIA_PSH_URL\n")
    result = read("prosecution", tmp_path)
    assert (result.state, rules(result)) == ("unreadable", {"db-url-not-landed"})


def test_a_database_shifted_by_a_byte_is_damaged(tmp_path: Path) -> None:
    deliver("prosecution", tmp_path)
    whole = (tmp_path / "psh.sqlite").read_bytes()
    (tmp_path / "psh.sqlite").write_bytes(whole[:101] + b"\0" + whole[101:])
    result = read("prosecution", tmp_path)
    assert result.files["psh.sqlite"] == "unreadable"
    assert [found["rule"] for found in result.findings] == ["db-damaged"]
