"""What a reader collects while it reads one file. `sources.readers.delivery` combines the files of a delivery into a `ReadResult`.

Belongs here: the class that collects, and what readers of all formats need (record keys, frames of text). Does not belong here: knowledge
of a format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from sources.contract import ColumnSpec, TableSpec

_LONGEST_KEY = 200  # characters of a key; agreed numbers are far shorter
_DMY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


class UnsafeFileError(Exception):
    """Raised if a file exceeds a safety limit and therefore is not read. The message names the limit."""


@dataclass
class FileReading:
    """The content of one file, collected by a reader. `rows` counts the physical rows as they are encountered, whatever they turn out to
    be. The other attributes have the same meaning as in `sources.readers.result.ReadResult`."""

    file: str
    state: str = "complete"
    tables: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    structure: list[dict[str, Any]] = field(default_factory=list)
    unreadable: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    layout: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0

    def add_finding(self, rule: str, **where: Any) -> None:
        """Add a finding. `where`: values for the columns of `schemas.findings.COLUMNS` (part, line, record_key, field, value, detail)."""
        self.findings.append({"file": self.file, "rule": rule, **where})

    def record_structural_row(self, line: int | None, kind: str, part: str | None = None) -> None:
        """Record a row that is not data. `kind`: title, header, repeated_header, blank, total, sheet or earlier."""
        self.structure.append({"file": self.file, "part": part, "line": line, "kind": kind})

    def quarantine_row(
        self,
        rule: str,
        raw: bytes,
        line: int | None = None,
        part: str | None = None,
        table: str | None = None,
        record_key: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Quarantine a row with its bytes, and add a finding of `rule`."""
        where = {"part": part, "line": line, "record_key": record_key}
        self.unreadable.append({"file": self.file, "table": table, "rule": rule, "raw": raw, **where})
        self.add_finding(rule, detail=detail, **where)

    def mark_unreadable(self, rule: str, detail: str | None = None) -> FileReading:
        """Mark the file as unreadable, add a finding that says why, and return this object."""
        self.state = "unreadable"
        self.add_finding(rule, detail=detail)
        return self

    def add_rows(self, table: str, frame: pd.DataFrame) -> None:
        """Add rows of a table. `frame` has the columns of the table as text, `_part`, `_line` and, for nested formats, `_row` and
        `_parent`."""
        self.tables.setdefault(table, []).append(frame.assign(_file=self.file))

    def data_rows(self) -> int:
        """Return the number of rows in the tables."""
        return sum(len(f) for frames in self.tables.values() for f in frames)


def make_text_frame(columns: Mapping[str, Sequence[str | None]]) -> pd.DataFrame:
    """Return a frame with a `str` column for each entry of `columns` (name -> cells). An empty cell becomes null."""
    arrays = {name: pa.array([v or None for v in values], pa.large_string()) for name, values in columns.items()}
    return pd.DataFrame({name: pd.array(array, dtype="str") for name, array in arrays.items()})


def make_null_column(row_count: int) -> Any:
    """Return a text column with `row_count` nulls."""
    return pd.array([None] * row_count, dtype="str")


def read_key_part(column: ColumnSpec, value: str | None, is_complete: bool = True) -> str | None:
    """Return the text of one part of a record key. Return None if the part cannot be read.

    `is_complete=False`: the cell may have been truncated. Then its text counts only if the pattern of the column shows that nothing is
    missing.
    """
    text = (value or "").strip()
    if not text or len(text) > _LONGEST_KEY:
        return None
    if column.type == "date":
        match = _DMY.fullmatch(text)
        text = f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}" if match else text
        return text if re.fullmatch(r"\d{4}-[01]\d-[0-3]\d", text) else None
    if column.pattern and not re.search(column.pattern, text):
        return None
    open_ended = column.pattern is None or re.search(column.pattern, text + "0") is not None
    return None if open_ended and not is_complete else text


def build_record_key(table: TableSpec, cells: Mapping[str, str | None], truncated_column: str | None = None) -> str | None:
    """Return the record key in the cells of a row, with its parts joined by `/`. Return None if a part is missing or unreadable. `cells`
    maps each column to its text.

    `truncated_column`: the column in whose cell the row was truncated.
    """
    parts = []
    for name in table.key:
        part = read_key_part(table.column(name), cells.get(name), is_complete=name != truncated_column)
        if part is None:
            return None
        parts.append(part)
    return "/".join(parts) if parts else None
