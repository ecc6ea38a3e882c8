"""Reads JSON: the records in nested arrays become rows, each with the line of its object's opening brace.

Belongs here: arrays of declared tables to rows, names of fields. Does not belong here: encodings (`encoding`), rows to frames
(`nested`).

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
from sources.readers.encoding import EncodingEvidence
from sources.readers.file_reading import FileReading, UnsafeFileError
from sources.readers.nested import DEEPEST, NestedRows
from sources.readers.result import SourceFile

_MOST_VALUES = 5_000_000  # each takes about 200 bytes of memory while it is read
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_DOCUMENT = "document"  # detail of a finding outside all tables


class _JsonObject(dict[str, Any]):
    """An object of the document: its fields by name (of a repeated name the last value), its position `at` in the text, and the
    `repeated` names."""

    at: int = 0
    repeated: tuple[str, ...] = ()


@dataclass
class _JsonRows(NestedRows):
    """The rows of a JSON document, by declared table."""

    tables: Sequence[str] = field(kw_only=True)
    breaks: Sequence[int] = field(kw_only=True)  # positions of line breaks
    inner: frozenset[tuple[str, str]] = field(kw_only=True)  # table, name of an object whose fields are columns

    def line(self, at: int) -> int:
        """Return the line of a position in the text."""
        return bisect_right(self.breaks, at - 1) + 1

    def table(self, name: str) -> str | None:
        """Return the declared table whose rows are in an array called `name`, up to spelling; None if there is none."""
        return name if name in self.tables else next((t for t in self.tables if headers.fold_name(t) == headers.fold_name(name)), None)

    def take(self, record: _JsonObject, table: str, parent: int | None, reading: FileReading) -> None:
        """Add an object as a row of `table`, and the rows nested in it."""
        row: dict[str, str] = {}
        own = self.add(table, row, self.line(record.at), parent)
        self._add_fields(record, table, "", row, own, reading)

    def _add_fields(self, record: _JsonObject, table: str, before: str, row: dict[str, str], own: int, reading: FileReading) -> None:
        """Add the fields of an object to `row` (number `own`) under their names, with the prefix `before` for fields of an inner object.
        Arrays of declared tables become separate rows."""
        for name in record.repeated:
            self.note("json-field-repeated", table, before + name, self.line(record.at))
        for name, value in record.items():
            nested = self.table(name) if isinstance(value, list) else None
            if nested:
                self.array(value, nested, own, self.line(record.at), reading)
            elif isinstance(value, _JsonObject):
                self._add_fields(value, table, f"{before}{name}.", row, own, reading)
            elif value is not None or (table, before + name) not in self.inner:
                row[before + name] = _as_text(value)

    def array(self, values: list[Any], table: str, parent: int | None, line: int, reading: FileReading) -> None:
        """Add the objects of an array as rows of `table`. Anything else in the array is no record and is quarantined."""
        for value in values:
            if isinstance(value, _JsonObject):
                self.take(value, table, parent, reading)
            else:
                reading.rows += 1
                reading.quarantine("json-record-no-object", _as_text(value).encode("utf-8", "replace"), line, table=table)


def _as_text(value: Any) -> str:
    """Return a value as text: as written, or `true` and `false`; null is empty; a list is JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(
    file: SourceFile, spec: FileSpec, contract: Contract, others: Sequence[Contract] = (), evidence: EncodingEvidence = encoding.NO_EVIDENCE
) -> FileReading:
    """Read the arrays of declared tables. Columns: the fields of an object, those of inner objects as `inner.field`, and keys of
    enclosing rows.

    Keys of `spec.options`: `encoding`; `declared` (name of an object with metadata -> fields that are read); `keys` (table -> column ->
    table.column of an enclosing row).
    """
    reading = FileReading(spec.name)
    data = files.load_bytes(file, reading)
    if data is None:
        return reading
    if files.detect_type(data) != "text":
        files.quarantine_lines(reading, data, "file-wrong-form")
        return reading.fail("file-wrong-form", files.detect_type(data))
    text, found = encoding.decode(data, spec.options.get("encoding", "utf-8"), None, evidence)
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] not in ("{", "["):
        files.quarantine_lines(reading, data, "file-wrong-form")
        return reading.fail("file-wrong-form", "text")
    for finding in found:
        reading.find(**finding)
    _require_safe(text)
    breaks = [m.start() for m in re.finditer(r"\r(?!\n)|\n", text)]
    names = ((table, column.name) for table in spec.tables for column in contract.tables[table].columns)
    inner = frozenset((table, name.rpartition(".")[0]) for table, name in names if "." in name)
    rows = _JsonRows(tables=spec.tables, breaks=breaks, inner=inner)
    try:
        document = _decode_document(text)
    except (ValueError, RecursionError) as error:
        files.quarantine_lines(reading, data, "json-broken")
        reading.state = "unreadable"
        reading.find("json-broken", line=rows.line(error.pos) if isinstance(error, json.JSONDecodeError) else None)
        return reading
    _collect_rows(document, rows, spec.options.get("declared", {}), reading)
    if not rows.count and not reading.unreadable and not _has_outermost_array(document, rows):
        reading.findings.clear()
        files.quarantine_lines(reading, data, "file-header-not-found")
        return reading.fail("file-header-not-found")
    rows.add_to(reading, contract, spec.options.get("keys", {}))
    return reading


def _require_safe(text: str) -> None:
    """Raise `UnsafeFileError` if a document is nested too deeply, or has too many values."""
    if text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        raise UnsafeFileError(f"> {_MOST_VALUES:,} values")
    depth = 0
    for match in _STRUCTURE.finditer(text):
        depth += (match[1] is not None) - (match[2] is not None)
        if depth > DEEPEST:
            raise UnsafeFileError(f"> {DEEPEST} levels")


def _decode_document(text: str) -> Any:
    """Decode a JSON document: objects as `_JsonObject`, numbers as they were written. Raises `ValueError` if it is not well-formed."""
    decoder: Any = json.JSONDecoder(object_pairs_hook=_make_object, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    inner = decoder.parse_object

    def placed(start: tuple[str, int], *more: Any) -> tuple[Any, int]:
        found, end = inner(start, *more)
        found.at = start[1] - 1
        return found, end

    decoder.parse_object = placed
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    return decoder.decode(text)


def _make_object(pairs: list[tuple[str, Any]]) -> _JsonObject:
    """Make an object from its fields, and record repeated names."""
    found = _JsonObject(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        found.repeated = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return found


def _refuse_constant(name: str) -> Any:
    """Raise `ValueError` for NaN and infinite numbers, which are not JSON."""
    raise ValueError(f"{name} is no JSON")


def _collect_rows(document: Any, rows: _JsonRows, declared: Mapping[str, Sequence[str]], reading: FileReading) -> None:
    """Add the rows and the metadata of a document, which is an object with the outermost array, or that array alone."""
    outermost = rows.tables[0]
    if isinstance(document, list):
        reading.find("json-array-alone", line=1)
        rows.array(document, outermost, None, 1, reading)
        return
    for name, value in document.items():
        table = rows.table(name)
        if table == outermost and isinstance(value, list):
            if name != table:
                reading.find("file-column-renamed", line=rows.line(document.at), field=table, detail=name)
            rows.array(value, table, None, rows.line(document.at), reading)
        elif name in declared and isinstance(value, _JsonObject):
            reading.declared |= {key: _as_text(value[key]) for key in declared[name] if value.get(key) is not None}
            for key in (key for key in value if key not in declared[name]):
                reading.find("file-column-extra", line=rows.line(value.at), field=f"{name}.{key}", detail=_DOCUMENT)
        else:
            reading.find("file-column-extra", line=rows.line(document.at), field=name, detail=_DOCUMENT)


def _has_outermost_array(document: Any, rows: _JsonRows) -> bool:
    """Return whether the document is an object with the outermost array, even if the array is empty."""
    return isinstance(document, _JsonObject) and any(rows.table(name) == rows.tables[0] for name in document)
