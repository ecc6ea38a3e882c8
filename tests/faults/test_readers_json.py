"""What goes wrong with the victim protection office's JSON, and that no file is lost over it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from reader_world import ZMNV, cells, deliver, read, rules

from sources.readers.result import ReadResult

TABLES = ("viktimat", "statusi", "sherbimet", "seancat")
REPEATED = ZMNV.replace('"vepra": "TRAFIKIM"', '"vepra": "TJETER", "vepra": "TRAFIKIM"')


def zmnv(folder: Path, data: str | bytes) -> ReadResult:
    deliver("victim_protection", folder)
    (folder / "zmnv.json").write_bytes(data.encode() if isinstance(data, str) else data)
    return read("victim_protection", folder)


def everything(result: ReadResult) -> dict[str, object]:
    return {table: cells(result.tables[table]) for table in TABLES}


def test_rows_nest_carry_the_key_around_and_the_line_of_their_brace(tmp_path: Path) -> None:
    result = zmnv(tmp_path, ZMNV)
    assert result.findings == []
    assert result.tables["viktimat"]["_line"].tolist() == [4, 22]
    assert result.tables["statusi"]["_line"].tolist() == [11, 12, 28]
    assert result.tables["statusi"]["nr_zmnv"].tolist() == ["ZM-PR-2013-0042"] * 2 + ["ZM-PE-2013-0007"]
    assert result.tables["seancat"]["mbrojtesi_i_pranishem"].fillna("").tolist() == ["true", ""]
    assert result.tables["viktimat"]["kompensimi.kerkuar_eur"].fillna("").tolist() == ["3000", ""]
    assert result.declared["periudha"] == "2013-Q2"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda t: t.encode("utf-8-sig"), "file-byte-order-mark"),
        (lambda t: t.encode("utf-16"), "file-encoding-assumed"),
        (lambda t: t.encode("utf-16-le"), "file-encoding-assumed"),
        (lambda t: t.replace("\n", "\r\n").encode(), None),
        (lambda t: t.replace('"vepra"', '"Vepra"').encode(), "file-column-renamed"),
        (lambda t: t.replace('"viktimat"', '"Viktimat"').encode(), "file-column-renamed"),
        (lambda t: t.replace('"vepra"', '"shenime_te_brendshme": "x", "vepra"').encode(), "file-column-extra"),
        (lambda t: t.replace('"vepra"', '"sistemi": {"v": [1, 2]}, "vepra"').encode(), "file-column-extra"),
        (lambda t: t.replace(' "viktimat": [', ' "versioni": 3, "viktimat": [').encode(), "file-column-extra"),
        (lambda _: REPEATED.encode(), "json-field-repeated"),
    ],
)
def test_another_form_gives_the_same_rows(change: Callable[[str], bytes], rule: str | None, tmp_path: Path) -> None:
    clean = everything(zmnv(tmp_path / "clean", ZMNV))
    result = zmnv(tmp_path / "other", change(ZMNV))
    found = {
        table: [{n: v for n, v in row.items() if n in row_of[0]} for row in rows] if (row_of := clean[table]) else rows
        for table, rows in everything(result).items()
    }  # type: ignore[index, attr-defined]
    assert found == clean
    assert rules(result) == ({rule} if rule else set())
    assert result.state == "complete"


def test_numbers_that_should_be_text_stay_as_written(tmp_path: Path) -> None:
    result = zmnv(tmp_path, ZMNV.replace('"1012345674"', "1012345678.0").replace('"id": 1, "lloji"', '"id": 1.0, "lloji"'))
    assert result.tables["viktimat"]["viktima.nr_personal"].fillna("").tolist() == ["1012345678.0", ""]
    assert result.tables["sherbimet"]["id"].tolist() == ["1.0"]


@pytest.mark.parametrize(
    "broken",
    [
        ZMNV[: len(ZMNV) // 2],
        ZMNV.rstrip().removesuffix("}"),
        ZMNV + "}",
        ZMNV.replace('"forma": "S",', '"forma": "S"'),
        ZMNV.replace("null", "NaN", 1),
        ZMNV.replace("3000", "03000"),
        ZMNV.replace("Blerta", "Bler\nta"),
    ],
)
def test_a_document_that_is_not_well_formed_is_unreadable_as_a_whole(broken: str, tmp_path: Path) -> None:
    result = zmnv(tmp_path, broken)
    assert result.state == "unreadable"
    assert all(result.tables[table].empty for table in TABLES)
    assert len(result.unreadable) == len(broken.splitlines())
    assert rules(result) == {"json-broken"}


def test_what_is_no_record_is_set_aside_with_its_bytes(tmp_path: Path) -> None:
    result = zmnv(tmp_path, ZMNV.replace('"viktimat": [', '"viktimat": [17, '))
    assert len(result.tables["viktimat"]) == 2
    assert result.unreadable["raw"].tolist() == [b"17"]
    assert "json-record-no-object" in rules(result)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (json.dumps({"viktimat": json.loads("[" * 200 + "]" * 200)}), "json-unsafe"),
        ("nothing of the kind", "file-wrong-form"),
        ('{"persona": []}', "file-header-not-found"),
        (b"", "file-empty"),
        (b"PK\x03\x04", "file-wrong-form"),
    ],
)
def test_what_cannot_be_read_is_reported(data: str | bytes, rule: str, tmp_path: Path) -> None:
    result = zmnv(tmp_path, data)
    assert result.state == "unreadable"
    assert rule in rules(result)


def lines(result: ReadResult, rule: str) -> list[tuple[object, object]]:
    """Line and field of the findings of a rule."""
    return [(f.get("line"), f.get("field")) for f in result.findings if f["rule"] == rule]


def without(name: str, records: slice = slice(None)) -> str:
    """The good document without the field `name` in some records."""
    document = json.loads(ZMNV)
    for record in document["viktimat"][records]:
        del record[name]
    return json.dumps(document, ensure_ascii=False, indent=1)


def test_a_list_of_records_that_is_repeated_is_read_and_the_file_is_partial(tmp_path: Path) -> None:
    again = ZMNV.replace('"ZM-P', '"ZM-G').partition('"viktimat"')[2].rstrip().removesuffix("}")
    for n, name in enumerate(("viktimat", "Viktimat")):
        result = zmnv(tmp_path / str(n), ZMNV.rstrip().removesuffix("}") + f',\n "{name}"{again}}}')
        assert result.state == "partial"
        assert len(result.tables["viktimat"]) == 4
        assert lines(result, "json-list-repeated") == [(34, "viktimat")]


def test_a_nested_list_that_is_repeated_loses_no_entry(tmp_path: Path) -> None:
    result = zmnv(tmp_path, ZMNV.replace('"sherbimet": [{', '"sherbimet": [{"id": 7}], "sherbimet": [{'))
    assert result.tables["sherbimet"]["id"].tolist() == ["7", "1"]
    assert lines(result, "json-list-repeated") == [(4, "sherbimet")]


@pytest.mark.parametrize("name", ["statusi", "sherbimet", "seancat"])
def test_a_nested_list_that_no_record_has_is_a_missing_table(name: str, tmp_path: Path) -> None:
    for n, text in enumerate((without(name), ZMNV.replace(f'"{name}"', '"other"'))):
        result = zmnv(tmp_path / str(n), text)
        assert result.state == "partial"
        assert lines(result, "json-list-missing") == [(None, name)]
        assert not lines(result, "json-list-absent")


def test_a_record_without_a_list_has_a_finding_with_its_line(tmp_path: Path) -> None:
    result = zmnv(tmp_path / "absent", ZMNV.replace('"sherbimet": [], ', ""))
    assert (result.state, lines(result, "json-list-absent"), rules(result)) == ("complete", [(22, "sherbimet")], {"json-list-absent"})
    result = zmnv(tmp_path / "null", ZMNV.replace('"sherbimet": []', '"sherbimet": null'))
    assert (result.state, lines(result, "json-list-absent"), rules(result)) == ("complete", [(22, "sherbimet")], {"json-list-absent"})


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('"sherbimet": []', '"sherbimet": {"id": 1, "lloji": "JUR"}', "sherbimet"),
        ('"statusi": [{"lloji": "NUK_KONFIRMUAR", "data": "2013-05-20T22:00:00Z"}]', '"statusi": "SUPOZUAR"', "statusi"),
        ('"kompensimi": null', '"kompensimi": "po"', "kompensimi"),
        ('"vepra": "TJETER"', '"vepra": ["TJETER"]', "vepra"),
        ('"nga": "OJQ"', '"nga": {"kodi": "OJQ"}', "referimi.nga"),
    ],
)
def test_a_value_of_another_kind_has_a_finding_with_its_line(old: str, new: str, field: str, tmp_path: Path) -> None:
    assert old in ZMNV
    result = zmnv(tmp_path, ZMNV.replace(old, new))
    assert lines(result, "json-value-kind") == [(22, field)]
    assert rules(result) == {"json-value-kind"}


def test_what_is_no_record_and_no_json_is_reported_on_its_line(tmp_path: Path) -> None:
    result = zmnv(tmp_path / "null", ZMNV.replace("  },\n  {", "  },\n  null,\n  {"))
    assert [line for line, _ in lines(result, "json-record-no-object")] == [22]
    result = zmnv(tmp_path / "nan", ZMNV.replace('"Rusu"', '"NaN \\" Rusu"').replace('"nr_qps": null', '"nr_qps": NaN'))
    assert lines(result, "json-broken") == [(29, None)]


def test_an_empty_list_with_its_total_is_accounted_for(tmp_path: Path) -> None:
    result = zmnv(tmp_path / "none", '{"Gjithsej": 0, "viktimat": []}')
    assert (result.state, result.findings, result.structure["kind"].tolist()) == ("complete", [], ["total"])
    result = zmnv(tmp_path / "more", ZMNV.replace(' "viktimat": [', ' "gjithsej": 9, "viktimat": ['))
    assert (result.state, rules(result)) == ("partial", {"file-total-wrong"})


def test_findings_name_the_record_also_where_the_document_is_one_line(tmp_path: Path) -> None:
    document = json.loads(ZMNV)
    del document["viktimat"][0]["seancat"]
    document["viktimat"][1]["viktima"] = "x"
    found = zmnv(tmp_path, json.dumps(document)).findings
    named = [(f["rule"], f["record_key"]) for f in found]
    assert named == [("json-value-kind", "ZM-PE-2013-0007"), ("json-list-absent", "ZM-PR-2013-0042")]


def test_another_value_in_place_of_the_list_of_records_is_reported(tmp_path: Path) -> None:
    result = zmnv(tmp_path, '{"viktimat": {"nr_zmnv": "ZM-PR-2013-0042"}}')
    assert lines(result, "json-value-kind") == [(1, "viktimat")]
