"""Reads the tables of a database file as text. The file is an SQLite file, of which a copy is opened read-only, or the dump of a PostgreSQL
schema.

Belongs here: opening the file, reading its tables, matching tables and columns to the contract. Does not belong here: the pages of a
damaged file (`database_salvage`), the format of the dump (`dump`).
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from schemas import domain
from sources.contract import Contract, FileSpec, TableSpec
from sources.readers import code_pages, database_salvage, dump, files, headers
from sources.readers.code_pages import CodePageChoice
from sources.readers.dump import dump_postgres
from sources.readers.encoding import is_valid_utf_8
from sources.readers.file_reading import FileReading, make_null_column, make_text_frame
from sources.readers.result import SourceFile

__all__ = ["dump_postgres", "read"]

_PATIENCE = 60.0  # seconds for all queries: a view could run forever
_LARGEST_CELL = 1 << 16  # bytes that a view's cell may have even if the file is smaller
_ROOM = 16 << 20  # bytes that a view may have in addition to four times the file size
_AT_ONCE = 10_000  # rows that are fetched at once
_BROKEN_RULES = ("ok", "NULL value in", "CHECK constraint failed")  # messages of quick_check that an undamaged file may give
_LONGEST_TEXT = 1000  # bytes of a cell that is used to detect the code page
_MAGIC = b"SQLite format 3\x00"

Table = tuple[list[str], list[Sequence[Any]]]


def read(file: SourceFile, spec: FileSpec, contract: Contract, other_contracts: Sequence[Contract] = ()) -> FileReading:
    """Read the tables of `spec` from an SQLite file or a dump. The column `_part` contains the delivered name of the table; `_line` is
    null."""
    reading = FileReading(spec.name)
    data = files.load_file_bytes(file, reading)
    if data is None:
        return reading
    if data.startswith(_MAGIC):
        tables = _read_sqlite(data, reading)
    elif dump.is_dump(data):
        tables = _read_dump(data, reading)
    elif file.name.endswith(".url"):
        return reading.mark_unreadable("db-url-not-landed")
    else:
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", files.detect_file_type(data))
    if tables is not None:
        _match_and_read_tables(tables, [contract.tables[t] for t in spec.tables], _choose_code_page(tables, contract), reading)
    return reading


def _choose_code_page(delivered_tables: dict[str, Table], contract: Contract) -> CodePageChoice:
    """Return the code page of the text that is not UTF-8. It is chosen by the words of the whole database."""
    cells = {
        cell
        for _, rows in delivered_tables.values()
        for row in rows
        for cell in row
        if isinstance(cell, bytes) and len(cell) <= _LONGEST_TEXT
    }
    odd = [cell for cell in cells if not is_valid_utf_8(cell)]
    return code_pages.choose_code_page(
        code_pages.count_non_ascii_words(b"\n".join(odd)), domain.country().code_page, code_pages.non_ascii_words_of_contract(contract)
    )


def _match_and_read_tables(
    delivered_tables: dict[str, Table], specs: Sequence[TableSpec], code_page: CodePageChoice, reading: FileReading
) -> None:
    """Match the delivered tables to declared ones, by name, by similar spelling, or by their columns, and read those that match.
    `code_page`: the code page of text that is not UTF-8."""
    free = dict(delivered_tables)
    for exact in (True, False):
        for spec in specs:
            if spec.name in reading.tables:
                continue
            name = spec.name if exact else _find_delivered_table(spec, free)
            if name in free:
                if name != spec.name:
                    reading.add_finding("db-table-renamed", part=name, detail=spec.name)
                _read_delivered_table(spec, name, free.pop(name), code_page, reading)
    needed = [spec for spec in specs if spec.crosswalk is None]
    missing = [spec.name for spec in needed if spec.name not in reading.tables]
    for name in missing:
        reading.add_finding("db-table-missing", part=name)
    for name in sorted(free):
        reading.add_finding("db-table-extra", part=name)
    if len(missing) == len(needed):
        reading.state = "unreadable"
    elif missing:
        reading.state = "partial"


def _find_delivered_table(spec: TableSpec, unmatched_tables: dict[str, Table]) -> str:
    """Return the name of the delivered table that matches `spec`: a table whose name differs only in spelling, or else the only table that
    has most of the declared columns. Return an empty text if there is none."""
    for name in unmatched_tables:
        if headers.normalise_name(name) == headers.normalise_name(spec.name):
            return name
    like = [
        name
        for name, (columns, _) in unmatched_tables.items()
        if headers.count_named_columns(columns, spec) >= max(2, 0.75 * len(spec.columns))
    ]
    return like[0] if len(like) == 1 else ""


def _read_delivered_table(spec: TableSpec, name: str, table: Table, code_page: CodePageChoice, reading: FileReading) -> None:
    """Add the rows of a delivered table under the columns that `spec` declares."""
    columns, rows = table
    reading.rows += len(rows)
    match = headers.match_header_to_columns(columns, spec)
    for finding in match.findings:
        reading.add_finding(part=name, **finding)
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    cells = {match.names[k]: _convert_to_texts(values[k], match.names[k], name, code_page, reading) for k in sorted(match.names)}
    frame = make_text_frame(cells)
    for column in match.missing:
        frame[column] = make_null_column(len(frame))
    frame["_part"] = pd.array([name] * len(frame), dtype="str")
    frame["_line"] = pd.array([None] * len(frame), dtype="Int64")
    reading.add_rows(spec.name, frame)


def _convert_to_texts(values: Sequence[Any], column: str, part: str, code_page: CodePageChoice, reading: FileReading) -> list[str | None]:
    """Return values as text. Integers become digits, and other numbers are written as Python prints them. Bytes are decoded as UTF-8; if
    some are not valid UTF-8, these are decoded in `code_page`, and a finding is added."""
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return list(values)
    if any(isinstance(v, bytes) and not is_valid_utf_8(v) for v in values):
        reading.add_finding("db-text-encoding", part=part, field=column, detail=" / ".join((code_page.page, *code_page.others)))
    return [None if v is None else _decode_bytes(v, code_page) if isinstance(v, bytes) else str(v) for v in values]


def _decode_bytes(text: bytes, code_page: CodePageChoice) -> str:
    """Decode bytes as UTF-8 if they are valid UTF-8, otherwise in the code page `code_page`."""
    return text.decode("utf-8") if is_valid_utf_8(text) else text.decode(code_page.page, "replace")


def _read_dump(data: bytes, reading: FileReading) -> dict[str, Table] | None:
    """Return the tables of a dump. A line that cannot be read is quarantined, and the file is partial. Return None if the first line
    cannot be read."""
    lines = data.decode("utf-8", "replace").split("\n")
    try:
        head = json.loads(lines[0])
        tables: dict[str, Table] = {str(t): ([str(c) for c in columns], []) for t, columns in head["tables"].items()}
        tables |= {str(t): ([], []) for t in head.get("others", [])}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        reading.mark_unreadable("file-wrong-form", "dump")
        return None
    for i, line in enumerate(lines[1:], 2):
        if not line:
            continue
        try:
            name, *row = json.loads(line)
            if len(row) != len(tables[name][0]) or any(isinstance(v, (list, dict)) for v in row):
                raise ValueError(name)
            json.dumps(row, ensure_ascii=False).encode("utf-8")  # raises for a lone surrogate
            tables[name][1].append(row)
        except (ValueError, TypeError, KeyError, RecursionError):
            reading.rows += 1
            reading.quarantine_row("db-row-unreadable", line.encode("utf-8"), line=i)
            reading.state = "partial"
    return tables


def _read_sqlite(data: bytes, reading: FileReading) -> dict[str, Table] | None:
    """Return the tables of an SQLite file, read from a copy that cannot be written to. A damaged file is read page by page. Return None
    if it has no readable row."""
    with tempfile.TemporaryDirectory(prefix="harmonia-") as folder:
        copy = Path(folder) / "copy.sqlite"
        copy.write_bytes(data)
        try:
            tables = _query_all_tables(copy, len(data), reading)
            if database_salvage.is_complete(data):
                return tables
        except (sqlite3.Error, UnicodeError, OverflowError):
            pass
    reading.findings.clear()
    tables, unassigned = database_salvage.salvage_tables(data)
    reading.state = "partial" if any(rows for _, rows in tables.values()) else "unreadable"
    reading.add_finding("db-damaged", detail=f"{len(data)} bytes")
    for page, raw in unassigned:
        reading.rows += 1
        reading.quarantine_row("db-page-unreadable", raw, detail=f"page {page}")
    return tables if reading.state == "partial" else None


def _query_all_tables(path: Path, size: int, reading: FileReading) -> dict[str, Table]:
    """Return all tables and views of an SQLite file of `size` bytes. Raises `sqlite3.Error` if a table or view returns more rows than such
    a file can reasonably contain."""
    db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, max(size, _LARGEST_CELL))
        db.execute("PRAGMA trusted_schema=OFF")
        db.execute("PRAGMA cell_size_check=ON")
        db.text_factory = lambda raw: raw
        until = time.monotonic() + _PATIENCE
        db.set_progress_handler(lambda: int(time.monotonic() > until), 100_000)
        listed = db.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'").fetchall()
        tables: dict[str, Table] = {}
        for raw_name, kind in listed:
            name = raw_name.decode("utf-8", "replace")
            if kind == b"view":
                reading.add_finding("db-view", part=name)
            quoted = '"' + name.replace('"', '""') + '"'
            tables[name] = _query_table(db, f"SELECT * FROM {quoted}", size, kind == b"view")
        db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        if any(not message.startswith(_BROKEN_RULES) for (message,) in db.execute("PRAGMA quick_check")):
            raise sqlite3.DatabaseError("misplaced pages")
        return tables
    finally:
        db.close()


def _query_table(db: sqlite3.Connection, query: str, size: int, view: bool) -> Table:
    """Return the columns and rows of a query. Text that is not UTF-8 is returned as bytes and decoded later."""
    db.text_factory = str
    fetched = _fetch_view_rows if view else _fetch_rows
    with suppress(sqlite3.OperationalError):
        return fetched(db, query, size)
    db.text_factory = _decode_if_utf_8
    return fetched(db, query, size)


def _fetch_rows(db: sqlite3.Connection, query: str, size: int) -> Table:
    """Return the columns and rows of a query over a table. Raises `sqlite3.DataError` if there are more rows than the file can contain."""
    found, rows = db.execute(query), list[Sequence[Any]]()
    while part := found.fetchmany(_AT_ONCE):
        rows += part
        if len(rows) * 2 > size:  # a row takes a pointer of at least two bytes: pages that point to each other never end
            raise sqlite3.DataError("more rows than the file can contain")
    return [str(d[0]) for d in found.description], rows


def _fetch_view_rows(db: sqlite3.Connection, query: str, size: int) -> Table:
    """Return the columns and rows of a query over a view. The amount of text is limited, since a view can generate any number of rows of
    any size."""
    found, rows, room = db.execute(query), list[Sequence[Any]](), _ROOM + 4 * size
    for row in found:
        rows.append(row)
        room -= sum(len(v) if isinstance(v, str | bytes) else 8 for v in row)
        if room < 0:
            raise sqlite3.DataError("a view returns more than the file can contain")
    return [str(d[0]) for d in found.description], rows


def _decode_if_utf_8(raw: bytes) -> str | bytes:
    """Return text for bytes that are UTF-8, and other bytes unchanged."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw
