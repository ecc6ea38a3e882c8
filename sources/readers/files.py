"""Getting at the bytes of a landed file, and telling from its first bytes what it is.

Belongs here: opening, size limits, magic numbers. Does not belong here: reading a form.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers import headers
from sources.readers.piece import Piece
from sources.readers.result import SourceFile

LIMIT = 1 << 28  # bytes; the forms of one institution and quarter are a hundred times smaller
MOST = {"lines": 2_000_000, "cells": 40_000_000}
"""What a delimited text may fall into: while it is read a line takes some 700 bytes of memory and a cell some 50, be they ever so short."""
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


def kind(data: bytes) -> str:
    """What the first bytes say: zip, sqlite, ole2, pdf, …; else `text`."""
    return next((name for magic, name in _MAGIC if data.startswith(magic)), "text")


def load(file: SourceFile, piece: Piece) -> bytes | None:
    """The bytes of a file; None, with the finding noted, where there are none to be had."""
    try:
        if file.path.is_dir() or not file.path.exists():
            piece.fail("file-no-file")
            return None
        if file.path.stat().st_size > LIMIT:
            piece.fail("file-unsafe", f"> {LIMIT >> 20} MiB")
            return None
        data = file.path.read_bytes()
    except OSError as error:
        piece.fail("file-no-access", type(error).__name__)
        return None
    if not data.strip(b"\x00\t\r\n \x0b\x0c"):
        piece.fail("file-empty")
        return None
    return data


def too_many(data: bytes) -> str | None:
    """What a text falls into more of than can be looked at one by one, in words; None where it does not."""
    found = {"lines": max(map(data.count, (b"\n", b"\r"))), "cells": max(map(data.count, (b";", b",", b"\t", b"|")))}
    return next((f"> {MOST[what]:,} {what}" for what, n in found.items() if n > MOST[what]), None)


def owner(names: list[list[str]], contracts: list[Contract]) -> str | None:
    """The institution whose table has a header among the rows `names`, or None."""
    for contract in contracts:
        for table in contract.tables.values():
            if len(table.columns) > 3 and any(headers.is_header(row, table) for row in names):
                return contract.institution
    return None


def quarantine_lines(piece: Piece, data: bytes, rule: str) -> None:
    """Set every physical line of a file aside, with its bytes; a file that is no text, or falls into too much, is one row."""
    if kind(data) != "text" or b"\x00" in data[:4096] or too_many(data):
        lines = [data[: 1 << 20]]
    else:
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
    for i, line in enumerate(lines, 1):
        piece.rows += 1
        piece.unreadable.append({"file": piece.file, "part": None, "line": i, "table": None, "record_key": None, "rule": rule, "raw": line})
