"""The dump of a database delivery: one file, written from PostgreSQL when the delivery is landed, and read like any database file.

Belongs here: the format of the dump. The first line is a JSON object with the keys `dump`, `version`, `tables` (the column names of each
table) and `others` (further tables). Each further line is a JSON array with one row: the name of its table, then its values. The tables are
in declared order and their rows are sorted by key, so that the same rows give the same bytes. Does not belong here: what the tables mean,
and the connection URL (never in a message: it contains a password).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

TABLES = ("lenda", "pala", "akuza", "vendimi")
SCHEMA = "psh"
VERSION = 1
SECONDS = 60  # seconds that a whole dump may take
_CONNECTING = 10  # seconds, for each address of the server
_SILENT = 20  # seconds without a response before the connection is dropped
_MOST_BYTES = 1 << 28  # bytes of text; a larger dump could not be read
_AT_ONCE = 5_000  # rows that are fetched at once

Rows = list[Sequence[Any]]

_CONNECTION: Mapping[str, Any] = {
    "connect_timeout": _CONNECTING,
    "tcp_user_timeout": _SILENT * 1000,
    "keepalives": 1,
    "keepalives_idle": _SILENT // 2,
    "keepalives_interval": _SILENT // 4,
    "keepalives_count": 2,
    "options": f"-c default_transaction_read_only=on -c statement_timeout={SECONDS}s",
}


class DumpError(ValueError):
    """Raised if a dump cannot be written. The message says what to do and contains no URL."""


def dump_postgres(url: str) -> bytes:
    """Return a dump (`psh.dump`) of the four tables of schema `psh`, read in one read-only snapshot.

    Raises `DumpError` if the server cannot be reached, has none of the tables, or returns far more than one quarter. A server that stops
    responding within a row is not detected here: the caller ends the process (`pipelines.landing.database`).
    """
    try:
        with psycopg.connect(url, **_CONNECTION) as db:
            db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            with db.transaction():
                present = _list_columns(db)
                room, until = _MOST_BYTES, time.monotonic() + SECONDS
                rows: dict[str, Rows] = {}
                for name in TABLES:
                    if name in present:
                        rows[name], room = _fetch_rows(db, name, present[name], room, until)
    except DumpError:
        raise
    except (psycopg.Error, UnicodeError, ValueError) as error:
        kind = type(error).__name__
        message = (
            f"the prosecution's database could not be read ({kind}): check that the server runs and that psh.url names the right variable"
        )
        raise DumpError(message) from None
    if not rows:
        raise DumpError(f"the prosecution's database has none of {', '.join(TABLES)} in schema {SCHEMA}: create the views or grant access")
    return write_dump(rows, present)


def try_to_dump_postgres(url: str) -> bytes | str:
    """Return the dump as bytes. If it could not be made, return the reason as text."""
    try:
        return dump_postgres(url)
    except DumpError as error:
        return str(error)


def write_dump(rows: dict[str, Rows], columns: dict[str, list[str]]) -> bytes:
    """Return a dump as bytes. `rows` has the rows of each table. `columns` has the column names of every table in the schema, including
    tables that are not dumped."""
    head = {
        "dump": SCHEMA,
        "others": sorted(t for t in columns if t not in rows),
        "tables": {t: columns[t] for t in TABLES if t in rows},
        "version": VERSION,
    }
    lines = [json.dumps(head, ensure_ascii=False, sort_keys=False)]
    for table in TABLES:
        plain = [[_convert_to_json_value(v) for v in row] for row in rows.get(table, [])]
        lines += [json.dumps([table, *row], ensure_ascii=False) for row in sorted(plain, key=_build_row_sort_key)]
    return ("\n".join(lines) + "\n").encode("utf-8")


def is_dump(file_bytes: bytes) -> bool:
    """Return whether bytes begin like a dump."""
    return file_bytes[:200].replace(b" ", b"").startswith(f'{{"dump":"{SCHEMA}"'.encode())


def _list_columns(db: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return the column names of every table in the schema."""
    found = db.execute(
        "select table_name, column_name from information_schema.columns where table_schema = %s order by table_name, ordinal_position",
        (SCHEMA,),
    ).fetchall()
    out: dict[str, list[str]] = {}
    for table, column in found:
        out.setdefault(table, []).append(column)
    return out


def _fetch_rows(db: psycopg.Connection[Any], table: str, columns: Iterable[str], bytes_left: int, deadline: float) -> tuple[Rows, int]:
    """Return the rows of a table, read in batches, and how many of the `bytes_left` are still left after them. Raises `DumpError` if the
    rows take more bytes, or if it is later than `deadline`: a view can generate any number of rows."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    found: Rows = []
    with db.cursor(name="dump") as cursor:
        cursor.itersize = _AT_ONCE
        for row in cursor.execute(sql.SQL("select {} from {}").format(names, sql.Identifier(SCHEMA, table))):
            found.append(row)
            bytes_left -= 8 + sum(len(v) if isinstance(v, str | bytes) else 8 for v in row)
            if bytes_left < 0:
                raise DumpError(f"{SCHEMA}.{table} returns more than {_MOST_BYTES >> 20} MiB: make the view return only the quarter")
            if time.monotonic() > deadline:
                raise DumpError(
                    f"{SCHEMA}.{table} takes longer than {SECONDS} s: check that the view terminates, or deliver its dump as a file"
                )
    return found, bytes_left


def _convert_to_json_value(value: Any) -> str | int | float | None:
    """Convert a value for JSON. Integers stay unchanged, dates get the ISO form, booleans become 1 and 0, and anything else becomes
    text."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and value.is_finite() else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time().isoformat() == "00:00:00" else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def _build_row_sort_key(row: Sequence[Any]) -> tuple[tuple[int, float, str], ...]:
    """Return a key that sorts rows by their values; numbers come before texts."""
    return tuple((0, float(v), "") if isinstance(v, (int, float)) else (1, 0.0, v or "") for v in row)
