"""Records out of lines: properties of the parser itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sources.readers.delimited import split_lines, split_record, split_records
from sources.readers.file_reading import FileReading

CELL = st.text(alphabet='ab ;"\r\në', max_size=8)


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ';"\r\n') else cell


@given(st.lists(CELL, min_size=1, max_size=6))
def test_what_rfc_4180_wrote_is_read_back(row: list[str]) -> None:
    assert split_record(";".join(map(_quote, row)), ";") == (row, False, False)


@given(st.lists(st.lists(CELL, min_size=6, max_size=6), min_size=1, max_size=6))
def test_records_and_their_lines(rows: list[list[str]]) -> None:
    text = "u;v;w;x;y;z\r\n" + "".join(";".join(map(_quote, row)) + "\r\n" for row in rows)
    lines = split_lines(text, text.encode())
    found, first, after = split_records(lines, ";", 6, FileReading("f.csv"))
    assert found == [list("uvwxyz"), *rows]
    assert first[1:] == after[:-1]
    assert after[-1] == len(lines.text)
    raw = b"\n".join(lines.bytes_of_lines(a, b) for a, b in zip(first, after, strict=True))
    assert raw.replace(b"\r", b"\n").count(b"\n") == len(lines.text) - 1


@given(st.text(alphabet='a;"\r\n', max_size=60))
def test_no_line_is_lost_whatever_the_quotes(text: str) -> None:
    lines = split_lines(text, text.encode())
    found, first, after = split_records(lines, ";", 3, FileReading("f.csv"))
    assert first == [0, *after[:-1]][: len(first)]
    assert (after[-1] if after else 0) == len(lines.text)
    assert len(found) == len(first)
