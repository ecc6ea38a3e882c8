"""The code page of a text is recognised by its words, and reported; if it is not recognised, that is reported too."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest
from reader_world import PERSONAT, RASTET, cells, lendet, police, read, rules, text

from sources import contract
from sources.readers import code_pages, encoding
from sources.readers.encoding import EncodingEvidence

AGREED = code_pages.non_ascii_words_of_contract(contract.load("police"))


def to_latin_1(clean: str) -> str:
    """What becomes of windows-1250 that is read as Latin-1."""
    return clean.encode("windows-1250").decode("latin-1")


@pytest.mark.parametrize("page", ["cp852", "iso-8859-2", "mac-croatian"])
def test_a_delivery_in_another_code_page_gives_the_same_cells(page: str, tmp_path: Path) -> None:
    clean = police(tmp_path / "clean")
    other = police(tmp_path / "other", text(RASTET).encode(page), text(PERSONAT).encode(page))
    for table in ("rastet", "personat"):
        assert cells(other.tables[table]) == cells(clean.tables[table])
    assert rules(other) == {"file-encoding-assumed"}
    assert [f["detail"] for f in other.findings if f["file"] == "personat.csv"] == [page]


def test_mac_roman_is_recognised_by_signs_in_the_middle_of_words() -> None:
    plain = "2013-PR-00001;Gëzim;Prishtinë;Nën hetim\r\nViktimë;Pejë;Çlirim\r\n"
    assert encoding.decode(plain.encode("mac-roman"), "windows-1250", evidence=EncodingEvidence(AGREED))[0] == plain


def test_small_letters_among_capitals_and_signs_at_a_word_are_no_words() -> None:
    plain = "MOŠKI;ŽENSKI;POŠKODBA;POŠKODBE;VEČ\r\n"
    decoded, found = encoding.decode(plain.encode("cp852"), "windows-1250")
    assert decoded == plain
    assert [(f["rule"], f["detail"]) for f in found] == [("file-encoding-assumed", "cp852")]


def test_a_file_of_few_words_is_read_as_the_delivery_beside_it() -> None:
    alone, beside = "AĆIMOVIĆ;1\r\n".encode("cp852"), encoding.count_eight_bit_words(text(RASTET).encode("cp852"))
    assert encoding.decode(alone, "windows-1250", evidence=EncodingEvidence(AGREED, beside))[0] == "AĆIMOVIĆ;1\r\n"


@pytest.mark.parametrize("seed", range(5))
def test_noise_in_place_of_a_file_says_nothing_of_the_one_beside_it(seed: int, tmp_path: Path) -> None:
    clean = police(tmp_path / "clean")
    other = police(tmp_path / "other", random.Random(seed).randbytes(20_000), text(PERSONAT).encode("windows-1250"))
    assert cells(other.tables["personat"]) == cells(clean.tables["personat"])


def test_a_file_in_the_agreed_page_stays_in_it_beside_one_in_another(tmp_path: Path) -> None:
    clean = police(tmp_path / "clean")
    mixed = police(tmp_path / "mixed", personat=text(PERSONAT).encode("cp852"))
    assert cells(mixed.tables["rastet"]) == cells(clean.tables["rastet"])
    assert cells(mixed.tables["personat"]) == cells(clean.tables["personat"])
    assert [f["file"] for f in mixed.findings] == ["personat.csv"]


def test_words_that_decide_nothing_are_reported_and_read_as_agreed() -> None:
    odd = b"\xc5\xbd\xd1 \xe5x\xc3y\r\n".replace(b"\xc5\xbd", b"\xc5\xc5")
    decoded, found = encoding.decode(odd, "windows-1250", evidence=EncodingEvidence(AGREED))
    assert decoded == odd.decode("windows-1250")
    assert [f["rule"] for f in found] == ["file-encoding-undecided"]
    assert found[0]["detail"].startswith("windows-1250 / ")


def test_windows_1250_that_came_as_latin_1_is_read_as_it_was_written(tmp_path: Path) -> None:
    clean = police(tmp_path / "clean")
    files = [to_latin_1(text(lines)).encode("utf-8") for lines in (RASTET, PERSONAT)]
    other = police(tmp_path / "other", *files)
    for table in ("rastet", "personat"):
        assert cells(other.tables[table]) == cells(clean.tables[table])
    assert [f["file"] for f in other.findings if f["rule"] == "file-text-misread"] == ["personat.csv"]  # the cases' file has only ë and ç


@pytest.mark.parametrize("name", ["Thérèse", "Kjær", "Michèle Hélène François", "Þórður Guðmundsson", "José Núñez 5º", "Gëzim Çollaku"])
def test_names_of_other_languages_stay_as_they_are(name: str) -> None:
    decoded, found = encoding.decode(name.encode("utf-8"), "utf-8", evidence=EncodingEvidence(AGREED))
    assert decoded == name
    assert {f["rule"] for f in found} <= {"file-encoding-undecided"}


def test_one_name_alone_is_reported_not_changed() -> None:
    decoded, found = encoding.decode("Petroviæ".encode(), "utf-8")
    assert (decoded, [f["rule"] for f in found]) == ("Petroviæ", ["file-encoding-undecided"])


@pytest.mark.parametrize("clean", ["Petrović", "Šehu", "Peć", "Saša", "Vučitrn", "Yeşil"])
def test_a_misread_cell_among_sound_ones_is_corrected_and_reported(clean: str) -> None:
    given = pd.DataFrame({"a": ["Đorđe", to_latin_1(clean), "Thérèse"], "_file": "x", "_part": "t", "_line": [1, 2, 3]}).astype(
        {"a": "str"}
    )
    better, found = encoding.repair_encoding_of_cells({"t": given}, {"t": ["a"]}, EncodingEvidence(AGREED))
    assert better["t"]["a"].tolist() == ["Đorđe", clean, "Thérèse"]
    actual = {"rule": "cell-text-misread", "file": "x", "part": "t", "line": 2, "field": "a", "value": to_latin_1(clean)}
    assert found == [actual]


def test_a_workbook_whose_text_was_misread_as_a_whole(tmp_path: Path) -> None:
    def misread(book: object) -> None:
        sheet = book.active  # type: ignore[attr-defined]
        for row, name in ((6, "Đorđe Petrović"), (7, "Žarko Šehu")):
            sheet.cell(row, 4, to_latin_1(name))

    lendet(tmp_path / "raporti.xlsx", misread)
    result = read("inspectorate", tmp_path)
    assert result.tables["lendet"]["Emri dhe mbiemri"].tolist() == ["Đorđe Petrović", "Žarko Šehu"]
    assert rules(result) == {"cell-text-misread"}
