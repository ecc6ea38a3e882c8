"""Turns nested records of XML and JSON into tables.

Belongs here: collecting rows in document order, and making frames of them, with positions, parent rows and the keys of enclosing rows. Does
not belong here: reading a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from sources.contract import Contract
from sources.readers import headers
from sources.readers.file_reading import FileReading, make_null_column, make_text_frame

DEEPEST = 64  # levels; an agreed export has five


@dataclass
class NestedRows:
    """The rows of a document by table, in document order. For each row, `rows` has the delivered names and texts, `lines` its line, `ids`
    its number, and `parents` the number of the row that encloses it. `notes` has the first line to which a finding applies, by rule, table
    and name."""

    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    ids: dict[str, list[int]] = field(default_factory=dict)
    parents: dict[str, list[int | None]] = field(default_factory=dict)
    notes: dict[tuple[str, str, str], int] = field(default_factory=dict)  # the first line, by rule, table and name
    count: int = 0

    def record_finding(self, rule: str, table: str, name: str, line: int) -> None:
        """Record a finding about `name` in `table`. Only the first line is kept."""
        self.notes.setdefault((rule, table, name), line)

    def add_row(self, table: str, row: dict[str, str], line: int, parent: int | None) -> int:
        """Add a row of `table`, and return its number."""
        own = self.count
        self.count += 1
        self.rows.setdefault(table, []).append(row)
        self.lines.setdefault(table, []).append(line)
        self.ids.setdefault(table, []).append(own)
        self.parents.setdefault(table, []).append(parent)
        return own

    def add_to_reading(self, reading: FileReading, contract: Contract, keys: Mapping[str, Mapping[str, str]]) -> None:
        """Add the findings, and a frame for each table, to `reading`. A frame has the declared columns, `_row` and `_parent`. The columns
        in `keys` are filled in from the enclosing rows: `keys` has, by table and column, the `table.column` of the enclosing row."""
        for (rule, table, name), line in self.notes.items():
            reading.add_finding(rule, line=line, field=name, detail=table)
        reading.rows += self.count
        table_and_parent_by_row: dict[int, tuple[str, int, int | None]] = {}  # row number -> table, position in it, parent
        frames: dict[str, pd.DataFrame] = {}
        for table, delivered in self.rows.items():
            table_and_parent_by_row |= {own: (table, i, self.parents[table][i]) for i, own in enumerate(self.ids[table])}
            frames[table] = self._make_frame(delivered, table, keys.get(table, {}), contract, reading)
        for table, frame in frames.items():
            for column, source in keys.get(table, {}).items():
                of, name = source.split(".", 1)
                values = list(frames[of][name]) if of in frames else []
                places = [_find_enclosing_row(table_and_parent_by_row, parent, of) for parent in self.parents[table]]
                frame[column] = pd.array([None if i is None else values[i] for i in places], dtype="str")
            frame["_part"] = make_null_column(len(frame))
            frame["_line"] = pd.array(self.lines[table], dtype="Int64")
            frame["_row"] = pd.array(self.ids[table], dtype="Int64")
            frame["_parent"] = pd.array(self.parents[table], dtype="Int64")
            reading.add_rows(table, frame)

    def _make_frame(
        self, delivered: Sequence[Mapping[str, str]], table: str, keys: Mapping[str, Any], contract: Contract, reading: FileReading
    ) -> pd.DataFrame:
        """Match the delivered names of a table to its declared columns, and return the frame. A document omits empty cells, so an absent
        column is a finding only if it is required."""
        names = list(dict.fromkeys(name for row in delivered for name in row))
        declared = contract.tables[table]
        part = replace(declared, columns=tuple(c for c in declared.columns if c.name not in keys))
        match = headers.match_header_to_columns(names, part, by_position=False)
        optional = {c.name for c in part.columns if not c.required}
        for finding in match.findings:
            absent = finding["rule"] == "file-column-missing" and finding["field"] in optional
            if not absent and finding["rule"] != "file-column-order":
                reading.add_finding(line=self.lines[table][0], **({"detail": table} | finding))
        frame = make_text_frame({column: [row.get(names[k], "") for row in delivered] for k, column in sorted(match.names.items())})
        for column in match.missing:
            frame[column] = make_null_column(len(delivered))
        return frame


def _find_enclosing_row(table_and_parent_by_row: Mapping[int, tuple[str, int, int | None]], row: int | None, table: str) -> int | None:
    """Return the position of the row of `table` that encloses the row number `row`. Return None if no row of `table` encloses it.
    `table_and_parent_by_row`: by row number, the table of the row, its position in the table, and the number of its parent row."""
    while row is not None:
        of, place, parent = table_and_parent_by_row[row]
        if of == table:
            return place
        row = parent
    return None
