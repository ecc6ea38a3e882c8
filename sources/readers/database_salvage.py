"""Recovers rows from a damaged SQLite file by going through its pages.

Belongs here: pages, cells and records of the SQLite file format (sqlite.org/fileformat2.html). Does not belong here: SQL. Each table is
read from its root page downwards. If a leaf page is not reached in this way, its rows are assigned to a table if their number of columns
fits only that table.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

_HEADER = 100
_LEAF, _INTERIOR = 0x0D, 0x05
_DEPTH = 20
_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}

Row = tuple[Any, ...]
Table = tuple[list[str], list[Any]]


class _SqlitePages:
    """The pages of a file by number, from 1. An incomplete page is padded with zeros; a page after the end of the file is empty."""

    def __init__(self, data: bytes) -> None:
        size = struct.unpack(">H", data[16:18])[0] if len(data) >= _HEADER else 0
        self.size = 65536 if size == 1 else size
        self.usable = self.size - data[20] if self.size >= 512 else 0
        self.encoding = {2: "utf-16-le", 3: "utf-16-be"}.get(struct.unpack(">I", data[56:60])[0], "utf-8") if self.usable else "utf-8"
        self.data = data

    def __len__(self) -> int:
        return -(-len(self.data) // self.size) if self.usable >= 480 else 0

    def page(self, number: int) -> bytes:
        if not 1 <= number <= len(self):
            return b""
        return self.data[(number - 1) * self.size : number * self.size].ljust(self.size, b"\0")


def is_complete(file_bytes: bytes) -> bool:
    """Return whether the file is at least as long as its header states."""
    pages = _SqlitePages(file_bytes)
    stated: int = struct.unpack(">I", file_bytes[28:32])[0] if len(file_bytes) >= _HEADER else 0
    return bool(len(pages)) and len(file_bytes) >= stated * pages.size


def salvage_tables(file_bytes: bytes) -> tuple[dict[str, Table], list[tuple[int, bytes]]]:
    """Return the tables, and the pages whose rows could not be assigned to a table. The tables are given by name, each with its columns and
    its readable rows; the pages are given as number and bytes."""
    pages = _SqlitePages(file_bytes)
    seen: set[int] = set()
    out: dict[str, Table] = {}
    serial: dict[str, int | None] = {}
    for _, record in sorted(_walk_pages_of_table(pages, 1, seen)):
        if len(record) < 5 or record[0] != "table" or not isinstance(record[3], int) or not isinstance(record[4], str):
            continue
        name, columns = str(record[1]), _parse_columns(record[4])
        if name.startswith("sqlite_") or not columns:
            continue
        serial[name] = next((i for i, c in enumerate(columns) if c[1]), None)
        found = dict(_walk_pages_of_table(pages, record[3], seen))
        names = [c[0] for c in columns]
        out[name] = (names, [_fill_up_row(found[rowid], rowid, len(names), serial[name]) for rowid in sorted(found)])
    unassigned = []
    for number in range(1, len(pages) + 1):
        if number not in seen and pages.page(number)[:1] == bytes([_LEAF]):
            found = dict(_read_rows_of_leaf_page(pages, number))
            owners = {t for t, (names, _) in out.items() if found and all(len(r) == len(names) for r in found.values())}
            if len(owners) == 1:
                owner = owners.pop()
                out[owner][1].extend(_fill_up_row(found[rowid], rowid, len(out[owner][0]), serial[owner]) for rowid in sorted(found))
            elif found:
                unassigned.append((number, pages.page(number)))
    return out, unassigned


def _parse_columns(statement: str) -> list[tuple[str, bool]]:
    """Return the columns of a CREATE TABLE statement: the name of each, and whether it contains the row number (INTEGER PRIMARY KEY)."""
    body = statement[statement.find("(") + 1 : statement.rfind(")")]
    parts = re.split(r",(?![^()]*\))", body)
    out = []
    for part in parts:
        words = re.match(r"\s*(\"[^\"]+\"|\[[^\]]+\]|`[^`]+`|\w+)(.*)", part, re.DOTALL)
        if not words or re.match(r"(?i)(primary|foreign|unique|check|constraint)$", words[1]):
            continue
        out.append((words[1].strip('"[]`'), re.match(r"(?is)\s*integer\s+primary\s+key", words[2]) is not None))
    return out


def _fill_up_row(record: Row, rowid: int, width: int, serial: int | None) -> Row:
    """Return a record with `width` cells. The column at position `serial` gets the row number, which SQLite does not store in the
    record."""
    cells = list(record[:width]) + [None] * (width - len(record))
    if serial is not None and cells[serial] is None:
        cells[serial] = rowid
    return tuple(cells)


def _walk_pages_of_table(pages: _SqlitePages, root: int, seen: set[int], depth: int = 0) -> Iterator[tuple[int, Row]]:
    """Yield the row number and the record of every row on the page `root` and the pages below it, in file order. No page is visited
    twice."""
    page = pages.page(root)
    if not page or root in seen or depth > _DEPTH:
        return
    seen.add(root)
    start = _HEADER if root == 1 else 0
    if page[start] == _LEAF:
        yield from _read_rows_of_leaf_page(pages, root)
    elif page[start] == _INTERIOR:
        for offset in _find_cell_positions(page, start, 12):
            if offset + 4 <= len(page):
                yield from _walk_pages_of_table(pages, struct.unpack(">I", page[offset : offset + 4])[0], seen, depth + 1)
        yield from _walk_pages_of_table(pages, struct.unpack(">I", page[start + 8 : start + 12])[0], seen, depth + 1)


def _find_cell_positions(page: bytes, start: int, header: int) -> list[int]:
    """Return the positions of the cells of a page. `header`: length of the page header, which begins at `start`."""
    count = struct.unpack(">H", page[start + 3 : start + 5])[0]
    at = start + header
    count = min(count, (len(page) - at) // 2)
    return list(struct.unpack(f">{count}H", page[at : at + 2 * count]))


def _read_rows_of_leaf_page(pages: _SqlitePages, number: int) -> Iterator[tuple[int, Row]]:
    """Yield the row number and the record of every readable row of a leaf page."""
    page = pages.page(number)
    whole = len(pages.data) >= number * pages.size
    end = len(pages.data) - (number - 1) * pages.size
    for offset in _find_cell_positions(page, _HEADER if number == 1 else 0, 8):
        try:
            length, at = _read_variable_length_integer(page, offset)
            rowid, at = _read_variable_length_integer(page, at)
            payload, stop = _read_record_bytes(pages, page, at, length)
            if (whole or stop <= end) and 0 < length <= len(payload):
                yield rowid, _decode_record(payload[:length], pages.encoding)
        except (IndexError, ValueError, struct.error):
            continue


def _read_record_bytes(pages: _SqlitePages, page: bytes, position: int, length: int) -> tuple[bytes, int]:
    """Return the bytes of a record, including those on overflow pages, and the position at which the cell of the record ends in the
    page."""
    usable = pages.usable
    if length <= usable - 35:
        return page[position : position + length], position + length
    least = (usable - 12) * 32 // 255 - 23
    local = least + (length - least) % (usable - 4)
    local = local if local <= usable - 35 else least
    out, following = bytearray(page[position : position + local]), struct.unpack(">I", page[position + local : position + local + 4])[0]
    visited = set()
    while following and len(out) < length and following not in visited:
        visited.add(following)
        if following * pages.size > len(pages.data):
            raise ValueError("overflow page is missing")
        more = pages.page(following)
        out += more[4:usable]
        following = struct.unpack(">I", more[:4])[0]
    return bytes(out), position + local + 4


def _read_variable_length_integer(data: bytes, position: int) -> tuple[int, int]:
    """Return the variable-length integer at position `position`, and the position after it."""
    value = 0
    for i in range(9):
        byte = data[position + i]
        if i == 8:
            value = (value << 8) | byte
            return value - (1 << 64) if value >> 63 else value, position + 9
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, position + i + 1
    raise ValueError("not a varint")


def _decode_record(payload: bytes, encoding: str) -> Row:
    """Return the values of a record. Raises `ValueError` if the bytes are no record."""
    end, at = _read_variable_length_integer(payload, 0)
    kinds = []
    while at < end:
        kind, at = _read_variable_length_integer(payload, at)
        kinds.append(kind)
    at = end
    row = []
    for kind in kinds:
        size = _SIZES[kind] if kind in _SIZES else (kind - 12) // 2
        if kind in (10, 11) or size < 0 or at + size > len(payload):
            raise ValueError("not a record")
        row.append(_decode_value(kind, payload[at : at + size], encoding))
        at += size
    return tuple(row)


def _decode_value(kind: int, raw: bytes, encoding: str) -> Any:
    """Return one value of a record. `kind`: the serial type of the value, a number in the SQLite file format."""
    if kind == 0:
        return None
    if kind <= 6:
        return int.from_bytes(raw, "big", signed=True)
    if kind == 7:
        return struct.unpack(">d", raw)[0]
    if kind in (8, 9):
        return kind - 8
    if kind % 2 == 0:
        return raw
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return raw
