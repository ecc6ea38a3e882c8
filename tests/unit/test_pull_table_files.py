"""Rows of a database as files in the institution's own form."""

from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.pull.errors import PullError
from pipelines.pull.table_files import convert_value_to_text, write_delimited_file, write_sqlite_file
from sources.contract import ColumnSpec, TableSpec

TABLE = TableSpec("rastet", (ColumnSpec("Nr"), ColumnSpec("Dita", type="date")))
FORM = {"encoding": "windows-1250", "delimiter": ";", "line_end": "\r\n"}


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        (None, ColumnSpec("x"), None),
        ("", ColumnSpec("x"), ""),
        ("007", ColumnSpec("x"), "007"),
        (True, ColumnSpec("x"), "1"),
        (Decimal("12"), ColumnSpec("x", type="integer"), "12"),
        (Decimal("12.50"), ColumnSpec("x"), "12.50"),
        (2.5, ColumnSpec("x"), "2.5"),
        (date(2013, 4, 5), ColumnSpec("x", type="date"), "05.04.2013"),
        (date(2013, 4, 5), ColumnSpec("x", type="date", format="iso"), "2013-04-05"),
        (datetime.fromisoformat("2013-04-05 23:10"), ColumnSpec("x", type="date", format="dmy-"), "05-04-2013"),
        (datetime(2013, 4, 5, 23, 10, tzinfo=UTC), ColumnSpec("x"), "2013-04-05T23:10:00+00:00"),
        (date(113, 4, 5), ColumnSpec("x", type="date"), "0113-04-05"),
        (b"Gj\xc3\xabrgj", ColumnSpec("x"), "Gjërgj"),
        (memoryview(b"\xff"), ColumnSpec("x"), "\\xff"),
    ],
)
def test_a_value_is_text_as_the_institution_writes_it(value: Any, column: ColumnSpec, expected: str | None) -> None:
    assert convert_value_to_text(value, column) == expected


def test_delimited_text_in_the_declared_dialect(tmp_path: Path) -> None:
    rows = [[("a;b", date(2013, 1, 2))], [('say "ç"', None)]]
    write_delimited_file(TABLE, iter(rows), FORM, tmp_path / "x.csv", 1 << 20)
    assert (tmp_path / "x.csv").read_bytes() == 'Nr;Dita\r\n"a;b";02.01.2013\r\n"say ""ç""";\r\n'.encode("windows-1250")
    write_delimited_file(TABLE, iter([[("Ђ", None)]]), FORM, tmp_path / "y.csv", 1 << 20)
    assert (tmp_path / "y.csv").read_bytes() == "Nr;Dita\r\nЂ;\r\n".encode()
    write_delimited_file(TABLE, iter([[("x" * 900_000, None)]] * 3), {"encoding": "utf-8-sig"}, tmp_path / "z.csv", 4 << 20)
    assert (tmp_path / "z.csv").read_bytes().count(b"\xef\xbb\xbf") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "y.csv", "z.csv"]


def test_the_same_rows_are_the_same_sqlite_bytes(tmp_path: Path) -> None:
    hashes = {write_sqlite_file([(TABLE, iter([[(n, None) for n in range(1000)]]))], tmp_path / name, 1 << 20) for name in ("a", "b")}
    assert len(hashes) == 1
    with sqlite3.connect(tmp_path / "a") as db:
        assert db.execute("SELECT count(*), typeof(max(Nr)), max(Nr) FROM rastet").fetchone() == (1000, "text", "999")
    db.close()


def test_more_than_the_bound_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(PullError, match="pull-too-large"):
        write_sqlite_file([(TABLE, iter([[("x" * 1000, None)]] * 5000))], tmp_path / "a", 1 << 20)
