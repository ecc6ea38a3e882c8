"""Write rows of a database to a file that the readers of the contract can read: delimited text or SQLite, with every value as text.

Belongs here: converting values to text, and the two file formats. The same rows give the same bytes. Only a batch of rows is in memory at a
time.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from harmonia.errors import convert_storage_errors
from pipelines.landing.file_names import make_printable_name
from pipelines.pull.errors import PullError
from pipelines.pull.source import MIB
from sources.contract import DATE_PATTERNS, ColumnSpec, TableSpec

BATCH_ROWS = 2_000  # rows that are in memory at a time
_DIALECT_KEYS = {"encoding", "delimiter", "line_end"}

Rows = Iterator[Sequence[Sequence[Any]]]


def convert_value_to_text(value: Any, column: ColumnSpec) -> str | None:
    """Convert a value of a database to the text that the institution would deliver.

    Dates get the form that the contract declares, whole numbers have no decimal point, and booleans become 1 and 0.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, Decimal):
        return str(int(value)) if value.is_finite() and value == value.to_integral_value() else str(value)
    if isinstance(value, datetime) and column.format != "utc" and (column.type == "date" or value.time().isoformat() == "00:00:00"):
        value = value.date()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.strftime(DATE_PATTERNS[column.format]) if value.year >= 1000 else value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value)


def convert_rows_to_text(batches: Rows, columns: Sequence[ColumnSpec], name: str, max_bytes: int) -> Iterator[list[list[str | None]]]:
    """Yield batches of rows with their values as text. Raises `PullError`, which names the file `name`, if there are more than `max_bytes`
    bytes.
    """
    for rows in batches:
        texts = [[convert_value_to_text(value, column) for value, column in zip(row, columns, strict=True)] for row in rows]
        max_bytes -= sum(len(value) + 1 for row in texts for value in row if value is not None)
        if max_bytes < 0:
            raise PullError("pull-too-large", make_printable_name(name))
        yield texts


def write_delimited_file(table: TableSpec, rows: Rows, options: Mapping[str, Any], target: Path, max_bytes: int) -> str:
    """Write rows as delimited text with a header, in the form that `options` declares. Return the SHA-256 of the file.

    If the declared encoding lacks a character, the file is written in UTF-8.
    """
    dialect = {"encoding": "utf-8", "delimiter": ",", "line_end": "\r\n"} | {k: str(options[k]) for k in _DIALECT_KEYS & set(options)}
    encodable, plain = True, target.with_suffix(".utf-8")
    with convert_storage_errors(plain):
        out = plain.open("w", encoding="utf-8", errors="replace", newline="")
    with out:
        for block in _format_delimited_blocks(table, convert_rows_to_text(rows, table.columns, target.name, max_bytes), dialect):
            encodable = encodable and _is_encodable(block, dialect["encoding"])
            with convert_storage_errors(plain):
                out.write(block)
    encoding = dialect["encoding"] if encodable else "utf-8"
    with (
        convert_storage_errors(target),
        plain.open(encoding="utf-8", newline="") as source,
        target.open("w", encoding=encoding, newline="") as copy,
    ):
        while block := source.read(MIB):
            copy.write(block)
    plain.unlink()
    return _sync_and_hash_file(target, max_bytes)


def write_sqlite_file(tables: Iterable[tuple[TableSpec, Rows]], target: Path, max_bytes: int) -> str:
    """Write a SQLite file with these tables; all columns are text. Return the SHA-256 of the file."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384"):  # KiB
            db.execute(f"PRAGMA {pragma}")
        db.execute("BEGIN")
        for table, rows in tables:
            names = ", ".join(f"{_quote_name(column.name)} TEXT" for column in table.columns)
            db.execute(f"CREATE TABLE {_quote_name(table.name)} ({names})")
            insert = f"INSERT INTO {_quote_name(table.name)} VALUES ({', '.join('?' * len(table.columns))})"
            for batch in convert_rows_to_text(rows, table.columns, target.name, max_bytes):
                db.executemany(insert, batch)
        db.execute("COMMIT")
    return _sync_and_hash_file(target, max_bytes)


def _quote_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _format_delimited_blocks(table: TableSpec, batches: Iterable[list[list[str | None]]], dialect: Mapping[str, str]) -> Iterator[str]:
    """Yield the header and the rows as delimited text, one batch at a time."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=dialect["delimiter"], lineterminator=dialect["line_end"])
    writer.writerow([column.name for column in table.columns])
    for rows in batches:
        writer.writerows(rows)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _is_encodable(block: str, encoding: str) -> bool:
    try:
        block.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _sync_and_hash_file(target: Path, max_bytes: int) -> str:
    """Wait until a file is on the disk, and return its SHA-256. Raises `PullError` if it has more than `max_bytes` bytes."""
    if target.stat().st_size > max_bytes:
        raise PullError("pull-too-large", make_printable_name(target.name))
    with convert_storage_errors(target), target.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
