"""Files that are not what a delivery should hold: each ends in a finding, none in an exception, nothing in silence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from reader_world import GOOD_INSTITUTIONS, PERSONAT, RASTET, SMIL, deliver, police, read, rules, text

FILES = {
    "inspectorate": "raporti.xlsx",
    "prosecution": "psh.sqlite",
    "courts": "smil.xml",
    "corrections": "shkk.xlsx",
    "victim_protection": "zmnv.json",
    "social_work": "persona.csv",
    "police": "rastet.csv",
}
OF_ANOTHER_FILE = {"police": {"personat"}, "social_work": {"sherbimet"}}
JUNK = {
    "nothing": b"",
    "zeros": b"\x00" * 5000,
    "a zip of something else": b"PK\x05\x06" + b"\x00" * 18,
    "a broken zip": b"PK\x03\x04" + bytes(range(256)),
    "text": "Të dhënat vijnë më vonë.".encode(),
    "a page": b"<!DOCTYPE html><html><body><p>504</p></body></html>",
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "half a database": b"SQLite format 3\x00" + b"\x04\x00" + b"\x01" * 40,
    "an old office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 3000,
}


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
def test_every_good_delivery_is_complete_without_findings(institution: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    result = read(institution, tmp_path)
    assert (result.state, result.findings) == ("complete", [])
    assert len(result.unreadable) == 0


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
@pytest.mark.parametrize("junk", JUNK)
def test_junk_under_the_agreed_name_is_an_unreadable_file(institution: str, junk: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    (tmp_path / FILES[institution]).write_bytes(JUNK[junk])
    result = read(institution, tmp_path)
    assert result.files[FILES[institution]] == "unreadable"
    assert result.findings
    assert all(frame.empty for table, frame in result.tables.items() if table not in OF_ANOTHER_FILE.get(institution, ()))


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
def test_an_empty_delivery_misses_its_files(institution: str, tmp_path: Path) -> None:
    result = read(institution, tmp_path)
    assert result.state == "unreadable"
    assert rules(result) == {"file-missing"}


@pytest.mark.parametrize("institution", GOOD_INSTITUTIONS)
def test_a_folder_in_place_of_the_file(institution: str, tmp_path: Path) -> None:
    (tmp_path / FILES[institution]).mkdir()
    result = read(institution, tmp_path)
    assert result.files[FILES[institution]] == "unreadable"
    assert "file-no-file" in rules(result)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    deliver("courts", tmp_path)
    (tmp_path / "smil.xml").chmod(0)
    assert rules(read("courts", tmp_path)) == {"file-no-access"}


def test_one_of_two_files_missing_makes_the_delivery_partial(tmp_path: Path) -> None:
    deliver("police", tmp_path)
    (tmp_path / "personat.csv").unlink()
    result = read("police", tmp_path)
    assert (result.state, result.files["personat.csv"]) == ("partial", "missing")
    assert rules(result) == {"file-missing"}


@pytest.mark.parametrize(
    "name", ["personat.csv.part", "rastet.csv.tmp", "psh.sqlite-journal", "psh.sqlite-wal", "~$raporti.xlsx", ".DS_Store"]
)
def test_a_leftover_is_named_and_holds_nothing_up(name: str, tmp_path: Path) -> None:
    deliver("police", tmp_path)
    (tmp_path / name).write_bytes(b"Nr_rastit;Nr_rend")
    result = read("police", tmp_path)
    assert (result.state, result.files[name], rules(result)) == ("complete", "leftover", {"file-leftover"})
    assert result.rows[name] == 0


def test_another_institution_s_file_is_set_aside_line_by_line(tmp_path: Path) -> None:
    deliver("police", tmp_path)
    (tmp_path / "smil.xml").write_text(SMIL, "utf-8")
    result = read("police", tmp_path)
    assert (result.state, result.files["smil.xml"]) == ("complete", "foreign")
    assert len(result.unreadable) == SMIL.count("\n")
    assert b"\n".join(result.unreadable["raw"]).decode() + "\n" == SMIL
    assert rules(result) == {"file-foreign"}


def test_another_institution_s_data_under_the_agreed_name_is_recognised(tmp_path: Path) -> None:
    deliver("inspectorate", tmp_path)
    (tmp_path / "raporti.xlsx").rename(tmp_path / "shkk.xlsx")
    result = read("corrections", tmp_path)
    assert (result.state, rules(result)) == ("unreadable", {"file-foreign"})
    assert len(result.unreadable) == 8


def test_a_file_that_no_one_declared_is_a_finding(tmp_path: Path) -> None:
    deliver("police", tmp_path)
    (tmp_path / "lexomë.txt").write_text("Përshëndetje", "utf-8")
    result = read("police", tmp_path)
    assert (result.state, result.files["lexomë.txt"], rules(result)) == ("complete", "undeclared", {"file-undeclared"})


@pytest.mark.parametrize("name", ["RASTET.CSV", "rastet_2013Q2.csv", "Rastet (1).csv", "rastet.txt"])
def test_a_name_that_is_nearly_right_is_taken_and_the_assumption_said(name: str, tmp_path: Path) -> None:
    deliver("police", tmp_path)
    (tmp_path / "rastet.csv").rename(tmp_path / name)
    result = read("police", tmp_path)
    assert (result.state, rules(result)) == ("complete", {"file-name-assumed"})
    assert set(result.tables["rastet"]["_file"]) == {name}


def test_findings_of_a_failure_hold_nothing_of_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("Krasniqi")

    monkeypatch.setattr("sources.readers.tabular.read_grid", broken)
    result = police(tmp_path, text(RASTET).encode("windows-1250"))
    assert rules(result) == {"file-failed"}
    assert "Krasniqi" not in json.dumps(result.findings)


@pytest.mark.parametrize(("name", "content"), [("lines", b"a\n" * 101), ("lines", b"a\r" * 101), ("cells", b";" * 1001)])
def test_a_text_of_more_lines_or_cells_than_can_be_looked_at_is_not_opened(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few megabytes of line ends would take more memory than there is."""
    monkeypatch.setattr("sources.readers.files.MOST", {"lines": 100, "cells": 1000})
    result = police(tmp_path, rastet=content)
    assert result.files["rastet.csv"] == "unreadable"
    assert [(f["rule"], f["detail"]) for f in result.findings if f["file"] == "rastet.csv"] == [
        ("file-unsafe", f"> {'100' if name == 'lines' else '1,000'} {name}")
    ]
    assert len(result.unreadable) == 1
    assert len(result.tables["personat"]) > 0


def test_xml_of_more_tags_than_can_be_looked_at_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.readers.xml._MOST_TAGS", 10)
    deliver("courts", tmp_path)
    result = read("courts", tmp_path)
    assert result.files["smil.xml"] == "unreadable"
    assert rules(result) == {"file-unsafe"}


def test_a_cell_longer_than_any_value_is_emptied_and_said(tmp_path: Path) -> None:
    long = [*PERSONAT[:2], PERSONAT[2].replace("Mërgime", "Mërgime " * 1_000)]
    result = police(tmp_path, personat=text(long).encode("windows-1250"))
    (finding,) = [f for f in result.findings if f["rule"] == "cell-too-long"]
    assert (finding["file"], finding["line"], finding["field"], finding["detail"]) == ("personat.csv", 3, "Emri", "8,000")
    assert result.tables["personat"]["Emri"].isna().tolist() == [False, True]
    assert result.tables["personat"]["Mbiemri"].tolist() == ["Krasniqi", "Šehu"], "the row itself is accepted"
