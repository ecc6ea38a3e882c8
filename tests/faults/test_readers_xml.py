"""What goes wrong with the courts' XML, and that no case is lost over it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from reader_world import SMIL, cells, courts, rules

TABLES = ("lenda", "referenca", "i_pandehur", "akuza", "aktgjykimi", "denimi")


def _all(result: object) -> dict[str, object]:
    return {table: cells(result.tables[table]) for table in TABLES}  # type: ignore[attr-defined]


def test_rows_nest_and_carry_the_keys_of_the_rows_around(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL)
    assert result.findings == []
    assert {t: len(result.tables[t]) for t in TABLES} == dict(zip(TABLES, (3, 2, 4, 5, 2, 2), strict=True))
    sentence, judgment = result.tables["denimi"], result.tables["aktgjykimi"]
    assert sentence[["lenda_nr", "id", "lloji", "eur"]].fillna("").values.tolist() == [
        ["PKR.nr.12/2013", "1", "burgim", ""],
        ["PKR.nr.12/2013", "1", "gjobe", "2500"],
    ]
    assert set(sentence["_parent"]) == {judgment["_row"][0]}
    assert result.tables["lenda"]["_line"].tolist() == [3, 20, 30]
    assert result.tables["lenda"]["_parent"].isna().all()
    assert result.declared == {"periudha": "2013-Q2", "krijuar": "2013-07-05T09:12:00"}
    assert result.tables["i_pandehur"]["nr_personal"].isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda t: t.encode("utf-8-sig"), "file-byte-order-mark"),
        (lambda t: t.replace("UTF-8", "UTF-16").encode("utf-16"), "file-encoding-assumed"),
        (lambda t: t.replace("UTF-8", "ISO-8859-1").encode(), "xml-encoding-declared"),
        (lambda t: ("\n\n" + t).encode(), None),
        (lambda t: t.replace(' xmlns="urn:kgjk:smil:1"', "").encode(), "xml-namespace"),
        (lambda t: t.replace("smil:1", "smil:2").encode(), "xml-namespace"),
        (lambda t: re.sub(r"<(/?)(\w)", r"<\1s:\2", t).replace("xmlns=", "xmlns:s=").encode(), None),
        (lambda t: t.replace("eksporti", "export").encode(), "xml-root"),
        (lambda t: t.replace("<lenda ", "<!-- <lenda nr='x'> --><lenda ", 1).encode(), None),
        (lambda t: t.replace("<lenda ", "<lendet><lenda ", 1).replace("</eksporti>", "</lendet></eksporti>").encode(), "xml-element-extra"),
        (lambda t: t.replace("i_pandehur", "I_Pandehur").encode(), "xml-element-renamed"),
        (lambda t: t.replace("datelindja", "data_lindjes").encode(), "file-column-renamed"),
        (lambda t: t.replace("Gashi", "<![CDATA[Gashi]]>").encode(), None),
        (lambda t: t.replace("</eksporti>", "<sistemi v='2'><admin>x</admin></sistemi></eksporti>").encode(), "xml-element-extra"),
    ],
)
def test_another_dress_gives_the_same_rows(change: Callable[[str], bytes], rule: str | None, tmp_path: Path) -> None:
    clean = _all(courts(tmp_path / "clean", SMIL))
    result = courts(tmp_path / "other", change(SMIL))
    assert _all(result) == clean
    assert rules(result) == ({rule} if rule else set())
    assert result.state == "complete"


def test_eight_bit_bytes_under_a_declaration_of_utf_8(tmp_path: Path) -> None:
    latin = SMIL.replace("Жарко", "Žarko").replace("Ђорђевић", "Đorđević").replace("Драган", "Dragan")
    result = courts(tmp_path, latin.encode("windows-1250"))
    assert result.tables["i_pandehur"]["mbiemri"].tolist() == ["Krasniqi", "Gashi", "Đorđević", "Hoxha"]
    assert "file-encoding-assumed" in rules(result)


def test_a_second_value_is_said_and_kept(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("<pranuar>2013-05-03</pranuar>", "<pranuar>2013-05-03</pranuar><pranuar>2013-05-04</pranuar>"))
    frame = result.tables["lenda"]
    assert frame["pranuar"][0] == "2013-05-03"
    assert frame["pranuar (2)"][0] == "2013-05-04"
    assert "xml-element-repeated" in rules(result)


def test_extra_attributes_and_elements_are_kept_as_columns(tmp_path: Path) -> None:
    changed = SMIL.replace('gjuha="sr"', 'gjuha="sr" gjyqtari="x"').replace("<mbiemri>Gashi", "<profesioni>y</profesioni><mbiemri>Gashi")
    result = courts(tmp_path, changed)
    assert result.tables["lenda"]["gjyqtari"].tolist()[1] == "x"
    assert result.tables["i_pandehur"]["profesioni"].tolist()[1] == "y"
    assert rules(result) == {"file-column-extra"}


EXTERNAL = '<!DOCTYPE eksporti [\n <!ENTITY sekret SYSTEM "file:///etc/hostname">\n <!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;\n]>\n'


def test_an_external_entity_is_reported_and_never_read(tmp_path: Path) -> None:
    changed = SMIL.replace("<eksporti", EXTERNAL + "<eksporti", 1).replace("<emri>Ilir", "<emri>&sekret;")
    result = courts(tmp_path, changed)
    assert result.tables["i_pandehur"]["emri"].tolist()[3] == "&sekret;"
    assert rules(result) == {"xml-doctype", "xml-entity"}
    assert result.state == "complete"
    assert result.tables["lenda"]["_line"].tolist() == [7, 24, 34]


def test_a_billion_laughs_are_not_heard(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE eksporti [<!ENTITY l0 "ha">{entities}]>'
    start = time.monotonic()
    result = courts(tmp_path, SMIL.replace("<eksporti", bomb + "<eksporti", 1).replace('dega="Leposaviq"', 'dega="&l11;"'))
    assert time.monotonic() - start < 2
    assert result.tables["lenda"]["dega"].tolist()[1] == "&l11;"
    assert len(result.tables["lenda"]) == 3


def _broken(result: object) -> list[tuple[str, str]]:
    return [tuple(r) for r in result.unreadable[["table", "record_key"]].values.tolist()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", ["Llalloshi & bij <</mbiemri>", "Gashi</mbiemr>", "Gashi</mbiemri><emri>", "Ga\x00shi <"])
def test_a_broken_case_is_set_aside_and_later_ones_are_read(wrong: str, tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("Gashi</mbiemri>", wrong))
    assert result.state == "partial"
    assert result.tables["lenda"]["nr"].tolist() == ["PKR.nr.13/2013", "P.nr.14/2013"]
    assert result.tables["lenda"]["_line"].tolist() == [20, 30]
    assert _broken(result) == [("lenda", "PKR.nr.12/2013"), ("i_pandehur", "PKR.nr.12/2013/1"), ("i_pandehur", "PKR.nr.12/2013/2")]
    assert "xml-broken" in rules(result)


def test_the_bytes_of_a_broken_case_are_kept_whole(tmp_path: Path) -> None:
    broken = SMIL.replace("Gashi</mbiemri>", "Gashi & <</mbiemri>")
    result = courts(tmp_path, broken)
    raw = b"".join(result.unreadable["raw"]).decode()
    assert raw == broken[broken.index("<lenda") : broken.index("</lenda>") + len("</lenda>")]


def test_a_file_that_breaks_off(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL[: SMIL.index("<emri>Жарко") + 9])
    assert result.state == "partial"
    assert result.tables["lenda"]["nr"].tolist() == ["PKR.nr.12/2013"]
    assert _broken(result) == [("lenda", "PKR.nr.13/2013"), ("i_pandehur", "PKR.nr.13/2013/1")]


def test_a_file_that_breaks_off_in_a_start_tag_has_no_key_for_it(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL[: SMIL.index("P.nr.14") + 5])
    assert result.tables["lenda"]["nr"].tolist() == ["PKR.nr.12/2013", "PKR.nr.13/2013"]
    assert result.unreadable["record_key"].isna().tolist() == [True]


def test_a_case_that_is_never_closed_does_not_take_the_next_one_along(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace(" </lenda>\n", "", 1))
    assert result.tables["lenda"]["nr"].tolist() == ["PKR.nr.13/2013", "P.nr.14/2013"]


def test_text_between_cases_that_breaks_the_form_is_kept(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("</lenda>\n", "</lenda>\n &gabim; <\n", 1))
    assert len(result.tables["lenda"]) == 3
    assert result.unreadable["rule"].tolist() == ["row-garbage"]


def test_a_document_type_that_never_ends(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("<eksporti", '<!DOCTYPE eksporti [<!ENTITY a "b', 1))
    assert result.findings


def test_deep_nesting_ends_in_a_finding(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("<emri>Ilir", "<x>" * 100_000 + "<emri>Ilir"))
    assert result.tables["lenda"]["nr"].tolist() == ["PKR.nr.12/2013", "PKR.nr.13/2013"]
    assert result.state == "partial"


def test_cases_opened_inside_one_another_without_end_are_refused_as_a_file(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("<lenda ", "<lenda nr='x'>" * 20_000 + "<lenda ", 1))
    assert (result.state, rules(result)) == ("unreadable", {"file-unsafe"})
    assert [f["detail"] for f in result.findings] == ["> 10,000 broken records"]
    assert len(result.unreadable) == 0, "the bytes are in the landing store, not twenty thousand times among rows set aside"


def test_control_characters_are_replaced_and_said(tmp_path: Path) -> None:
    result = courts(tmp_path, SMIL.replace("Gashi", "Ga\x01shi"))
    assert result.tables["i_pandehur"]["mbiemri"].tolist()[1] == "Ga\ufffdshi"
    assert rules(result) == {"row-control-character"}


def test_another_document(tmp_path: Path) -> None:
    result = courts(tmp_path, "<html><body><p>504</p></body></html>")
    assert (result.state, rules(result)) == ("unreadable", {"file-header-not-found"})


def test_an_export_without_cases_is_complete(tmp_path: Path) -> None:
    result = courts(tmp_path, '<eksporti xmlns="urn:kgjk:smil:1" periudha="2013-Q2"></eksporti>')
    assert (result.state, result.findings, len(result.tables["lenda"])) == ("complete", [], 0)
