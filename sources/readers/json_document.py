"""JSON: records in nested arrays to rows, with the line of each object's opening brace.

Belongs here: arrays of declared tables to rows, names of fields. Does not belong here: encodings (`encoding`), rows to frames (`nested`).

The standard library's decoder reads the document; its hook for objects gives positions (`ijson` gives none). Numbers stay as they were
written: `1012345678.0` is text. A document that is not well-formed is unreadable as a whole, so nothing of it is read.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sources.contract import Contract, FileSpec
from sources.readers import encoding, files, headers
from sources.readers.encoding import Known
from sources.readers.nested import DEEPEST, NestedRows
from sources.readers.piece import Piece, UnsafeError
from sources.readers.result import SourceFile

_MOST_VALUES = 5_000_000  # each takes about 200 bytes of memory while it is read
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_DOCUMENT = "document"  # detail of a finding outside all tables


class _Object(dict[str, Any]):
    """An object of the document: fields by name (the last value of a repeated one), its position and repeated names."""

    at: int = 0
    repeated: tuple[str, ...] = ()


@dataclass
class _Rows(NestedRows):
    """The rows of objects in the arrays of declared tables."""

    tables: Sequence[str] = field(kw_only=True)
    breaks: Sequence[int] = field(kw_only=True)  # positions of line breaks
    inner: frozenset[tuple[str, str]] = field(kw_only=True)  # table, name of an object whose fields are columns

    def line(self, at: int) -> int:
        """The line of a position."""
        return bisect_right(self.breaks, at - 1) + 1

    def table(self, name: str) -> str | None:
        """The declared table of arrays with this name, up to spelling."""
        return name if name in self.tables else next((t for t in self.tables if headers.fold(t) == headers.fold(name)), None)

    def take(self, record: _Object, table: str, parent: int | None, piece: Piece) -> None:
        """Add a row of `table`, and the rows nested in it."""
        row: dict[str, str] = {}
        own = self.add(table, row, self.line(record.at), parent)
        self._fields(record, table, "", row, own, piece)

    def _fields(self, record: _Object, table: str, before: str, row: dict[str, str], own: int, piece: Piece) -> None:
        for name in record.repeated:
            self.note("json-field-repeated", table, before + name, self.line(record.at))
        for name, value in record.items():
            nested = self.table(name) if isinstance(value, list) else None
            if nested:
                self.array(value, nested, own, self.line(record.at), piece)
            elif isinstance(value, _Object):
                self._fields(value, table, f"{before}{name}.", row, own, piece)
            elif value is not None or (table, before + name) not in self.inner:
                row[before + name] = _text(value)

    def array(self, values: list[Any], table: str, parent: int | None, line: int, piece: Piece) -> None:
        """Add the objects of an array of `table`; another value is no record and is quarantined."""
        for value in values:
            if isinstance(value, _Object):
                self.take(value, table, parent, piece)
            else:
                piece.rows += 1
                piece.quarantine("json-record-no-object", _text(value).encode("utf-8", "replace"), line, table=table)


def _text(value: Any) -> str:
    """A value as text: as written, or for true and false their words; null is empty; a list as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(file: SourceFile, spec: FileSpec, contract: Contract, others: Sequence[Contract] = (), known: Known = encoding.NOTHING) -> Piece:
    """Read the arrays of declared tables. Columns: fields, those of inner objects as `inner.field`, and keys of enclosing rows.

    `options`: `encoding`; `declared`: the object with metadata, and which of its fields; `keys`: by table, column -> table.column.
    """
    piece = Piece(spec.name)
    data = files.load(file, piece)
    if data is None:
        return piece
    if files.kind(data) != "text":
        files.quarantine_lines(piece, data, "file-wrong-form")
        return piece.fail("file-wrong-form", files.kind(data))
    text, found = encoding.decode(data, spec.options.get("encoding", "utf-8"), None, known)
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] not in ("{", "["):
        files.quarantine_lines(piece, data, "file-wrong-form")
        return piece.fail("file-wrong-form", "text")
    for finding in found:
        piece.find(**finding)
    _require_safe(text)
    breaks = [m.start() for m in re.finditer(r"\r(?!\n)|\n", text)]
    names = ((table, column.name) for table in spec.tables for column in contract.tables[table].columns)
    inner = frozenset((table, name.rpartition(".")[0]) for table, name in names if "." in name)
    rows = _Rows(tables=spec.tables, breaks=breaks, inner=inner)
    try:
        document = _decode(text)
    except (ValueError, RecursionError) as error:
        files.quarantine_lines(piece, data, "json-broken")
        piece.state = "unreadable"
        piece.find("json-broken", line=rows.line(error.pos) if isinstance(error, json.JSONDecodeError) else None)
        return piece
    _collect(document, rows, spec.options.get("declared", {}), piece)
    if not rows.count and not piece.unreadable and not _is_ours(document, rows):
        piece.findings.clear()
        files.quarantine_lines(piece, data, "file-header-not-found")
        return piece.fail("file-header-not-found")
    rows.into(piece, contract, spec.options.get("keys", {}))
    return piece


def _require_safe(text: str) -> None:
    """Raise `UnsafeError` for a document that is nested too deeply, or has too many values."""
    if text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        raise UnsafeError(f"> {_MOST_VALUES:,} values")
    depth = 0
    for match in _STRUCTURE.finditer(text):
        depth += (match[1] is not None) - (match[2] is not None)
        if depth > DEEPEST:
            raise UnsafeError(f"> {DEEPEST} levels")


def _decode(text: str) -> Any:
    """The document, objects as `_Object`, numbers as written. Raises `ValueError` if it is not well-formed."""
    decoder: Any = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=_no_json)
    inner = decoder.parse_object

    def placed(start: tuple[str, int], *more: Any) -> tuple[Any, int]:
        found, end = inner(start, *more)
        found.at = start[1] - 1
        return found, end

    decoder.parse_object = placed
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    return decoder.decode(text)


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found.repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return found


def _no_json(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _collect(document: Any, rows: _Rows, declared: Mapping[str, Sequence[str]], piece: Piece) -> None:
    """The rows and metadata of a document: an object with the outermost array, or that array alone."""
    outermost = rows.tables[0]
    if isinstance(document, list):
        piece.find("json-array-alone", line=1)
        rows.array(document, outermost, None, 1, piece)
        return
    for name, value in document.items():
        table = rows.table(name)
        if table == outermost and isinstance(value, list):
            if name != table:
                piece.find("file-column-renamed", line=rows.line(document.at), field=table, detail=name)
            rows.array(value, table, None, rows.line(document.at), piece)
        elif name in declared and isinstance(value, _Object):
            piece.declared |= {key: _text(value[key]) for key in declared[name] if value.get(key) is not None}
            for key in (key for key in value if key not in declared[name]):
                piece.find("file-column-extra", line=rows.line(value.at), field=f"{name}.{key}", detail=_DOCUMENT)
        else:
            piece.find("file-column-extra", line=rows.line(document.at), field=name, detail=_DOCUMENT)


def _is_ours(document: Any, rows: _Rows) -> bool:
    return isinstance(document, _Object) and any(rows.table(name) == rows.tables[0] for name in document)
