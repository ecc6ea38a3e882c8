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
        (json.dumps({"viktimat": json.loads("[" * 200 + "]" * 200)}), "file-unsafe"),
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
