"""Bytes to text, and text that was encoded twice."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import complete_columns
from sources.readers import encoding

ALBANIAN = "Gëzim Çollaku, Mitrovicë; Đorđević Žarko, Šehu\r\n"


@pytest.mark.parametrize("name", ["windows-1250", "cp852"])
def test_letters_of_the_region_speak_for_their_encoding(name: str) -> None:
    assert encoding.decode(ALBANIAN.encode(name), "windows-1250")[0] == ALBANIAN


def test_cyrillic_in_its_own_8_bit_encoding() -> None:
    text = "Ђорђевић;Жарко;Косовска Митровица\r\n" * 3
    assert encoding.decode(text.encode("windows-1251"), "windows-1250")[0] == text


def test_ascii_is_no_assumption() -> None:
    assert encoding.decode(b"abc;1\r\n", "windows-1250") == ("abc;1\r\n", [])


def test_undefined_bytes_are_marked_and_said() -> None:
    text, found = encoding.decode(b"G\xebzim \x81\r\n", "windows-1250")
    assert text == "Gëzim \ufffd\r\n"
    assert [(f["rule"], f.get("line")) for f in found] == [("file-byte-undefined", 1)]


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "windows-1250", "no-such-encoding"]))
def test_any_bytes_become_text(data: bytes, declared: str) -> None:
    text, found = encoding.decode(data, declared)
    assert text.encode("utf-8") is not None
    assert all(f["rule"].startswith("file-") for f in found)


@given(st.text(alphabet="abcëçšžčćđËÇŠŽ ", max_size=30), st.sampled_from(["windows-1252", "windows-1250", "latin-1"]))
def test_what_was_encoded_twice_comes_back(text: str, through: str) -> None:
    try:
        twice = text.encode("utf-8").decode(through)
    except UnicodeDecodeError:
        return
    assert encoding.repair_text_encoded_twice(twice) == text


@pytest.mark.parametrize("through", ["windows-1252", "windows-1250"])
def test_a_cyrillic_name_that_was_encoded_twice_comes_back(through: str) -> None:
    twice = "".join(b.decode(through, errors="ignore") or b.decode("latin-1") for b in (bytes([x]) for x in "Жарко Ђорђевић".encode()))
    assert encoding.repair_text_encoded_twice(twice) == "Жарко Ђорђевић"


@given(st.text(alphabet="abcëçšžčćđËÇŠŽĐЖђњ .'-", max_size=30).filter(lambda t: t.count("Đ") < 3))
def test_right_text_is_left_alone(text: str) -> None:
    assert encoding.repair_text_encoded_twice(text) == text


def test_repair_says_where_and_keeps_what_was_delivered() -> None:
    frame = pd.DataFrame({"a": ["Pejë", "PejÃ«", None], "_file": "f", "_part": ["x", "x", "x"], "_line": [1, 2, 3]}).astype({"a": "str"})
    better, found = encoding.repair_encoding_of_cells({"t": frame}, {"t": ["a"]})
    assert better["t"]["a"].tolist()[:2] == ["Pejë", "Pejë"]
    assert found == [{"rule": "cell-text-encoded-twice", "file": "f", "field": "a", "part": "x", "line": 2, "value": "PejÃ«"}]


@pytest.mark.parametrize(("lines", "line"), [(["1", "2", "3"], 2), ([1.0, 2.0, 3.0], 2), ([None, None, None], None)])
def test_a_finding_names_its_line_as_a_number_whatever_holds_it(lines: list[object], line: int | None) -> None:
    frame = pd.DataFrame({"a": ["Pejë", "PejÃ«", None], "_file": "f", "_part": ["x", "x", "x"]}, dtype="str").assign(_line=lines)
    _, found = encoding.repair_encoding_of_cells({"t": frame}, {"t": ["a"]})
    assert [one["line"] for one in found] == [line]
    beside = {"rule": "file-byte-undefined", "line": 1}  # as other findings of the file say it
    assert complete_columns(pd.DataFrame([beside, *found]))["line"].dtype == "Int64"
