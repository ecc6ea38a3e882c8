"""Reads JSON: the records in nested arrays become rows, each with the line of its object's opening brace.

Belongs here: turning the arrays of declared tables into rows, and names of fields. Does not belong here: encodings (`encoding`), turning
rows into frames (`nested`).

The standard library's decoder reads the document; its hooks for objects and arrays give their positions (`ijson` gives none). Numbers stay
as they were written: `1012345678.0` is text. A document that is not well-formed is unreadable as a whole, so nothing of it is read. Every
record must have the arrays of its dependent tables, even if they are empty. If no record has an array, its table is missing.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sources.contract import Contract, FileSpec, TableSpec
from sources.readers import encoding, files, headers
from sources.readers.encoding import EncodingEvidence
from sources.readers.file_reading import FileReading, build_record_key
from sources.readers.nested import DEEPEST, NestedRows
from sources.readers.result import SourceFile
from sources.readers.tabular import TOTAL, shows_missing_records

_MOST_VALUES = 5_000_000  # each takes about 200 bytes of memory while it is read
_BETWEEN = re.compile(r"[\s,]*")
_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(NaN|-?Infinity)', re.DOTALL)
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])', re.DOTALL)
_LIST, _OBJECT, _VALUE = "[…]", "{…}", '"…"'  # kinds of values, as findings show them
_DOCUMENT = "document"  # detail of a finding that belongs to no table


class _JsonObject(dict[str, Any]):
    """An object of the document. It maps the names of its fields to values, and a name that is repeated to its last value; `repeated` has
    the names and values before the last. `at` is the position of the object in the text."""

    at: int = 0
    repeated: tuple[tuple[str, Any], ...] = ()


class _JsonArray(list[Any]):
    """An array of the document, with its position `at` in the text."""

    at: int = 0


@dataclass
class _JsonRows(NestedRows):
    """The rows of a JSON document, by declared table."""

    text: str = field(kw_only=True)
    tables: Sequence[str] = field(kw_only=True)
    breaks: Sequence[int] = field(kw_only=True)  # positions of line breaks
    kinds: Mapping[tuple[str, str], str] = field(kw_only=True)  # kind of each declared field, by table and name: list, object or value
    names: dict[str, str | None] = field(default_factory=dict)  # results of `find_table_of_array`
    specs: Mapping[str, TableSpec] = field(kw_only=True)
    lacking: list[tuple[str, int, str | None]] = field(default_factory=list)  # records without an array: its table, their line and key

    def line_at(self, position: int) -> int:
        """Return the line of a position in the text."""
        return bisect_right(self.breaks, position - 1) + 1

    def find_table_of_array(self, name: str) -> str | None:
        """Return the declared table whose rows are in an array called `name`. Spelling does not matter. Return None if there is none."""
        if name not in self.names:
            alike = (table for table in self.tables if headers.normalise_name(table) == headers.normalise_name(name))
            self.names[name] = name if name in self.tables else next(alike, None)
        return self.names[name]

    def add_record(self, record: _JsonObject, table: str, parent: int | None, reading: FileReading) -> None:
        """Add an object as a row of `table`, and the rows nested in it."""
        row: dict[str, str] = {}
        first = len(reading.findings)
        line = self.line_at(record.at)
        own = self.add_row(table, row, line, parent)
        self._add_fields(record, table, "", row, own, reading)
        delivered = {self.find_table_of_array(name) for name, value in record.items() if value is not None}
        lists = (name for (of, name), kind in self.kinds.items() if of == table and kind == _LIST)
        key = build_record_key(self.specs[table], row)
        self.lacking += [(name, line, key) for name in lists if name not in delivered]
        if key:
            for found in reading.findings[first:]:  # findings on the record and on what is nested in it
                found.setdefault("record_key", key)

    def _add_fields(
        self, record: _JsonObject, table: str, name_prefix: str, row: dict[str, str], row_number: int, reading: FileReading
    ) -> None:
        """Add the fields of an object to the row `row`, which has the number `row_number`. `name_prefix` comes before the names of the
        fields if the object is inside another one. Arrays of declared tables become separate rows."""
        for name, value in record.repeated:
            nested = self.find_table_of_array(name)
            if nested and isinstance(value, _JsonArray):
                reading.add_finding("json-list-repeated", line=self.line_at(record.at), field=name, detail=table)
                self.add_array(value, nested, row_number, reading)
            else:
                self.record_finding("json-field-repeated", table, name_prefix + name, self.line_at(record.at))
        for name, value in record.items():
            nested = self.find_table_of_array(name)
            agreed = self._declared_json_kind(table, name_prefix + name)
            if nested and isinstance(value, _JsonArray):
                self.add_array(value, nested, row_number, reading)
            elif value is not None and agreed not in (None, _find_json_kind_of_value(value)):
                line = self.lines[table][-1]  # the line of the whole record, by which the key of the record is found
                reading.add_finding(
                    "json-value-kind", line=line, field=name_prefix + name, detail=f"{_find_json_kind_of_value(value)} ≠ {agreed}"
                )
            elif isinstance(value, _JsonObject):
                self._add_fields(value, table, f"{name_prefix}{name}.", row, row_number, reading)
            elif value is not None or agreed in (None, _VALUE):
                row[name_prefix + name] = _convert_value_to_text(value)

    def _declared_json_kind(self, table: str, name: str) -> str | None:
        """Return the kind of value that the contract declares under a name in a record of `table`: a list, an object or a single value.
        Return None if it declares nothing."""
        return self.kinds.get((table, name)) or self.kinds.get((table, self.find_table_of_array(name) or ""))

    def add_array(self, values: _JsonArray, table: str, parent: int | None, reading: FileReading) -> None:
        """Add the objects of an array as rows of `table`. A value in the array that is no object is quarantined."""
        if all(isinstance(value, _JsonObject) for value in values):
            positions: Iterator[int] = iter(())
        else:
            positions = _find_value_positions(self.text, values.at)
        for value in values:
            at = next(positions, values.at)
            if isinstance(value, _JsonObject):
                self.add_record(value, table, parent, reading)
            else:
                reading.rows += 1
                reading.quarantine_row(
                    "json-record-no-object", _convert_value_to_text(value).encode("utf-8", "replace"), self.line_at(at), table=table
                )

    def report_missing_arrays(self, reading: FileReading) -> None:
        """Report the arrays that records lack. If no record has a certain array, its table is missing, and the file is partial."""
        records = {name: len(self.rows.get(of, ())) for (of, name), kind in self.kinds.items() if kind == _LIST}
        missing = {name for name, n in Counter(name for name, *_ in self.lacking).items() if n == records[name]}
        for name in (name for name in self.tables if name in missing):
            reading.add_finding("json-list-missing", field=name, detail=f"{records[name]} / {records[name]}")
            reading.state = "partial"
        for name, line, key in self.lacking:
            if name not in missing:
                reading.add_finding("json-list-absent", line=line, record_key=key, field=name)


def _find_json_kind_of_value(value: Any) -> str:
    """Return the kind of a value: a list, an object or a single value."""
    return _LIST if isinstance(value, list) else _OBJECT if isinstance(value, dict) else _VALUE


def _convert_value_to_text(value: Any) -> str:
    """Return a value as text: numbers as written, `true` or `false`, an empty text for null, and JSON for a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(
    file: SourceFile,
    spec: FileSpec,
    contract: Contract,
    other_contracts: Sequence[Contract] = (),
    evidence: EncodingEvidence = encoding.NO_EVIDENCE,
) -> FileReading:
    """Read the arrays of declared tables. The columns of a row are the fields of its object, the fields of inner objects as `inner.field`,
    and the keys of enclosing rows.

    Keys of `spec.options`: `encoding`; `declared` (for each object with metadata, the fields that are read); `keys` (for each table and
    column, the column of an enclosing row, as `table.column`, that it is taken from).
    """
    reading = FileReading(spec.name)
    data = files.load_file_bytes(file, reading)
    if data is None:
        return reading
    if files.detect_file_type(data) != "text":
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", files.detect_file_type(data))
    text, found = encoding.decode(data, spec.options.get("encoding", "utf-8"), None, evidence)
    text = text.lstrip("\ufeff")
    if text.lstrip()[:1] not in ("{", "["):
        files.quarantine_all_lines(reading, data, "file-wrong-form")
        return reading.mark_unreadable("file-wrong-form", "text")
    for finding in found:
        reading.add_finding(**finding)
    if limit := _describe_exceeded_limit(text):
        return reading.mark_unreadable("json-unsafe", limit)
    breaks = [m.start() for m in re.finditer(r"\r(?!\n)|\n", text)]
    rows = _JsonRows(text=text, tables=spec.tables, breaks=breaks, specs=contract.tables, kinds=_list_declared_json_kinds(spec, contract))
    try:
        document = _decode_document(text)
    except (ValueError, RecursionError) as error:
        files.quarantine_all_lines(reading, data, "json-broken")
        reading.state = "unreadable"
        reading.add_finding("json-broken", line=rows.line_at(error.pos) if isinstance(error, json.JSONDecodeError) else None)
        return reading
    _collect_rows_of_document(document, rows, spec.options.get("declared", {}), reading)
    if not rows.count and not reading.unreadable and not _has_outermost_array(document, rows):
        reading.findings.clear()
        files.quarantine_all_lines(reading, data, "file-header-not-found")
        return reading.mark_unreadable("file-header-not-found")
    rows.report_missing_arrays(reading)
    rows.add_to_reading(reading, contract, spec.options.get("keys", {}))
    return reading


def _list_declared_json_kinds(spec: FileSpec, contract: Contract) -> dict[tuple[str, str], str]:
    """Return the kind of each field that the contract declares, by table and name. The rows of a dependent table are an array; an object
    contains columns as its fields; any other column is a single value."""
    kinds: dict[tuple[str, str], str] = {}
    for table in spec.tables:
        declared = contract.tables[table]
        for column in declared.columns:
            kinds[table, column.name] = _VALUE
            parts = column.name.split(".")
            kinds |= {(table, ".".join(parts[:n])): _OBJECT for n in range(1, len(parts))}
        if declared.parent:
            kinds[declared.parent, table] = _LIST
    return kinds


def _describe_exceeded_limit(text: str) -> str | None:
    """Return which limit a document exceeds, because it has too many values or is nested too deeply. Return None if it exceeds none."""
    if text.count(",") + text.count("[") + text.count("{") > _MOST_VALUES:
        return f"> {_MOST_VALUES:,} values"
    depth = 0
    for match in _STRUCTURE.finditer(text):
        depth += (match[1] is not None) - (match[2] is not None)
        if depth > DEEPEST:
            return f"> {DEEPEST} levels"
    return None


def _decode_document(text: str) -> Any:
    """Decode a JSON document. Objects become `_JsonObject`, arrays become `_JsonArray`, and numbers stay as they were written. Raises
    `ValueError` if the document is not well-formed."""

    def refuse_constant(name: str) -> Any:
        found = (match for match in _CONSTANT.finditer(text) if match[1])
        raise json.JSONDecodeError(f"{name} is no JSON", text, next(found).start())

    return _make_decoder_with_positions(refuse_constant).decode(text)


def _make_decoder_with_positions(parse_constant: Callable[[str], Any]) -> Any:
    """Make a decoder that gives objects and arrays their positions."""
    decoder: Any = json.JSONDecoder(object_pairs_hook=_make_object, parse_int=str, parse_float=str, parse_constant=parse_constant)
    parse_object, parse_array = decoder.parse_object, decoder.parse_array

    def parse_object_with_position(start: tuple[str, int], *more: Any) -> tuple[Any, int]:
        found, end = parse_object(start, *more)
        found.at = start[1] - 1
        return found, end

    def parse_array_with_position(start: tuple[str, int], *more: Any) -> tuple[Any, int]:
        values, end = parse_array(start, *more)
        found = _JsonArray(values)
        found.at = start[1] - 1
        return found, end

    decoder.parse_object, decoder.parse_array = parse_object_with_position, parse_array_with_position
    decoder.scan_once = json.scanner.py_make_scanner(decoder)  # type: ignore[attr-defined]
    return decoder


def _make_object(pairs: list[tuple[str, Any]]) -> _JsonObject:
    """Make an object from its fields, and record those that are repeated."""
    found = _JsonObject(pairs)
    if len(found) < len(pairs):
        last = {name: i for i, (name, _) in enumerate(pairs)}
        found.repeated = tuple(pair for i, pair in enumerate(pairs) if last[pair[0]] != i)
    return found


def _find_value_positions(text: str, position: int) -> Iterator[int]:
    """Yield the positions of the values of the array at position `position` of a well-formed document."""
    decoder = json.JSONDecoder()
    while True:
        match = _BETWEEN.match(text, position + 1)
        start = match.end() if match else position + 1
        if text[start] == "]":
            return
        yield start
        position = decoder.raw_decode(text, start)[1] - 1


def _collect_rows_of_document(document: Any, rows: _JsonRows, declared: Mapping[str, Sequence[str]], reading: FileReading) -> None:
    """Add the rows and the metadata of a document. The document is an object that contains the outermost array, or only that array."""
    outermost = rows.tables[0]
    if isinstance(document, _JsonArray):
        reading.add_finding("json-array-alone", line=1)
        rows.add_array(document, outermost, None, reading)
        return
    fields = [*document.repeated, *document.items()]
    lists = [value for name, value in fields if rows.find_table_of_array(name) == outermost and isinstance(value, _JsonArray)]
    if len(lists) > 1:
        reading.add_finding(
            "json-list-repeated", line=rows.line_at(max(values.at for values in lists)), field=outermost, detail=str(len(lists))
        )
        reading.state = "partial"
    for name, value in document.repeated:
        if rows.find_table_of_array(name) != outermost or not isinstance(value, _JsonArray):
            rows.record_finding("json-field-repeated", _DOCUMENT, name, rows.line_at(document.at))
    for values in lists:
        rows.add_array(values, outermost, None, reading)
    for name, value in document.items():
        table = rows.find_table_of_array(name)
        if table == outermost and isinstance(value, _JsonArray):
            if name != table:
                reading.add_finding("file-column-renamed", line=rows.line_at(value.at), field=table, detail=name)
        elif TOTAL.match(headers.normalise_name(name)) and str(value).isdecimal():
            _check_stated_record_count(int(value), len(rows.rows.get(outermost, ())), rows.line_at(document.at), reading)
        elif table == outermost or (name in declared and value is not None and not isinstance(value, _JsonObject)):
            detail = f"{_find_json_kind_of_value(value)} ≠ {_LIST if table else _OBJECT}"
            reading.add_finding("json-value-kind", line=rows.line_at(document.at), field=name, detail=detail)
        elif name in declared and isinstance(value, _JsonObject):
            reading.declared |= {key: _convert_value_to_text(value[key]) for key in declared[name] if value.get(key) is not None}
            for key in (key for key in value if key not in declared[name]):
                reading.add_finding("file-column-extra", line=rows.line_at(value.at), field=f"{name}.{key}", detail=_DOCUMENT)
        elif name not in declared:
            reading.add_finding("file-column-extra", line=rows.line_at(document.at), field=name, detail=_DOCUMENT)


def _check_stated_record_count(stated: int, records: int, line: int, reading: FileReading) -> None:
    """Record the number of records that the document states, and compare it with the number of records that it contains."""
    reading.rows += 1
    reading.record_structural_row(line, "total")
    if stated != records:
        reading.add_finding("file-total-wrong", line=line, detail=f"{stated} ≠ {records}")
        if shows_missing_records(stated, records):
            reading.state = "partial"


def _has_outermost_array(document: Any, rows: _JsonRows) -> bool:
    """Return whether the document is an object that contains the outermost array. The array may be empty."""
    return isinstance(document, _JsonObject) and any(rows.find_table_of_array(name) == rows.tables[0] for name in document)
