"""Nested records to tables, for XML and JSON.

Belongs here: rows collected in document order, and their frames with positions, parents and keys of enclosing rows. Does not belong here:
reading a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from sources.contract import Contract
from sources.readers import headers
from sources.readers.piece import Piece, nulls, text_frame

DEEPEST = 64  # levels; an agreed export has five


@dataclass
class NestedRows:
    """Rows by table in document order: delivered names and texts, line, number, number of the enclosing row."""

    rows: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    ids: dict[str, list[int]] = field(default_factory=dict)
    parents: dict[str, list[int | None]] = field(default_factory=dict)
    notes: dict[tuple[str, str, str], int] = field(default_factory=dict)  # rule, table, name -> first line
    count: int = 0

    def note(self, rule: str, table: str, name: str, line: int) -> None:
        """Record the first line where something occurs."""
        self.notes.setdefault((rule, table, name), line)

    def add(self, table: str, row: dict[str, str], line: int, parent: int | None) -> int:
        """Add a row of `table`; returns its number."""
        own = self.count
        self.count += 1
        self.rows.setdefault(table, []).append(row)
        self.lines.setdefault(table, []).append(line)
        self.ids.setdefault(table, []).append(own)
        self.parents.setdefault(table, []).append(parent)
        return own

    def into(self, piece: Piece, contract: Contract, keys: Mapping[str, Mapping[str, str]]) -> None:
        """Add notes and frames to `piece`: delivered names to declared columns, `keys` (table -> column -> table.column of an enclosing
        row) filled in, parents by row number."""
        for (rule, table, name), line in self.notes.items():
            piece.find(rule, line=line, field=name, detail=table)
        piece.rows += self.count
        around: dict[int, tuple[str, int, int | None]] = {}  # row number -> table, position in it, parent
        frames: dict[str, pd.DataFrame] = {}
        for table, delivered in self.rows.items():
            around |= {own: (table, i, self.parents[table][i]) for i, own in enumerate(self.ids[table])}
            frames[table] = self._frame(delivered, table, keys.get(table, {}), contract, piece)
        for table, frame in frames.items():
            for column, source in keys.get(table, {}).items():
                of, name = source.split(".", 1)
                values = list(frames[of][name]) if of in frames else []
                places = [_ancestor(around, parent, of) for parent in self.parents[table]]
                frame[column] = pd.array([None if i is None else values[i] for i in places], dtype="str")
            frame["_part"] = nulls(len(frame))
            frame["_line"] = pd.array(self.lines[table], dtype="Int64")
            frame["_row"] = pd.array(self.ids[table], dtype="Int64")
            frame["_parent"] = pd.array(self.parents[table], dtype="Int64")
            piece.add(table, frame)

    def _frame(
        self, delivered: Sequence[Mapping[str, str]], table: str, keys: Mapping[str, Any], contract: Contract, piece: Piece
    ) -> pd.DataFrame:
        """Match delivered names to declared columns; a document omits empty cells, so an absent name is a finding only if required."""
        names = list(dict.fromkeys(name for row in delivered for name in row))
        declared = contract.tables[table]
        part = replace(declared, columns=tuple(c for c in declared.columns if c.name not in keys))
        match = headers.match(names, part, by_place=False)
        optional = {c.name for c in part.columns if not c.required}
        for finding in match.findings:
            absent = finding["rule"] == "file-column-missing" and finding["field"] in optional
            if not absent and finding["rule"] != "file-column-order":
                piece.find(line=self.lines[table][0], **({"detail": table} | finding))
        frame = text_frame({column: [row.get(names[k], "") for row in delivered] for k, column in sorted(match.names.items())})
        for column in match.missing:
            frame[column] = nulls(len(delivered))
        return frame


def _ancestor(around: Mapping[int, tuple[str, int, int | None]], row: int | None, table: str) -> int | None:
    """The position in `table` of the ancestor of row number `row`."""
    while row is not None:
        of, place, parent = around[row]
        if of == table:
            return place
        row = parent
    return None
