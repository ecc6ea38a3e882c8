"""Opens a landed file, and detects its type by its first bytes.

Belongs here: opening files, size limits, the first bytes of each type. Does not belong here: reading a format.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers import headers
from sources.readers.file_reading import FileReading
from sources.readers.result import SourceFile

LIMIT = 1 << 28  # bytes; real deliveries are a hundred times smaller
MOST = {"lines": 2_000_000, "cells": 40_000_000}
"""The largest numbers of lines and cells of a delimited text. While it is read, even a very short line takes about 700 bytes of memory, and
a cell takes about 50."""
_MAGIC = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole2"),
    (b"%PDF", "pdf"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"7z\xbc\xaf", "7z"),
    (b"Rar!", "rar"),
)


def detect_file_type(data: bytes) -> str:
    """Return the type of a file by its first bytes: zip, sqlite, ole2, pdf and so on; `text` if they are not known."""
    return next((name for magic, name in _MAGIC if data.startswith(magic)), "text")


def load_file_bytes(file: SourceFile, reading: FileReading) -> bytes | None:
    """Return the bytes of a file. If the file is absent, empty, too large or cannot be read, add a finding and return None."""
    try:
        if file.path.is_dir() or not file.path.exists():
            reading.mark_unreadable("file-no-file")
            return None
        if file.path.stat().st_size > LIMIT:
            reading.mark_unreadable("file-unsafe", f"> {LIMIT >> 20} MiB")
            return None
        data = file.path.read_bytes()
    except OSError as error:
        reading.mark_unreadable("file-no-access", type(error).__name__)
        return None
    if not data.strip(b"\x00\t\r\n \x0b\x0c"):
        reading.mark_unreadable("file-empty")
        return None
    return data


def describe_exceeded_limit(data: bytes) -> str | None:
    """Return a description of the limit in `MOST` that a text exceeds. Return None if it exceeds no limit."""
    found = {"lines": max(map(data.count, (b"\n", b"\r"))), "cells": max(map(data.count, (b";", b",", b"\t", b"|")))}
    return next((f"> {MOST[what]:,} {what}" for what, n in found.items() if n > MOST[what]), None)


def find_institution_with_header(names: list[list[str]], contracts: list[Contract]) -> str | None:
    """Return the institution that has a table of which one of the rows `names` is the header. Return None if there is none."""
    for contract in contracts:
        for table in contract.tables.values():
            if len(table.columns) > 3 and any(headers.is_header(row, table) for row in names):
                return contract.institution
    return None


def quarantine_all_lines(reading: FileReading, data: bytes, rule: str) -> None:
    """Quarantine every physical line of a file with its bytes. A file that is not text, or that exceeds the limits, is quarantined as one
    row."""
    if detect_file_type(data) != "text" or b"\x00" in data[:4096] or describe_exceeded_limit(data):
        lines = [data[: 1 << 20]]
    else:
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
    for i, line in enumerate(lines, 1):
        reading.rows += 1
        reading.unreadable.append(
            {"file": reading.file, "part": None, "line": i, "table": None, "record_key": None, "rule": rule, "raw": line}
        )
