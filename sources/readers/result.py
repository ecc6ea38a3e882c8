"""The types that every reader takes and returns. Nothing else belongs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sources.completeness_states import delivery_state

POSITION: tuple[str, ...] = ("_file", "_part", "_line", "_row", "_parent")
"""Positional columns of every table read.

`_file` text; `_part` sheet or table, else null; `_line` Int64, null for database rows; `_row` Int64, unique in the delivery across all
tables; `_parent` Int64: `_row` of the parent row in the same file, by nesting or by key, else null.
"""


@dataclass(frozen=True)
class SourceFile:
    """A landed file: its path, and the name under which it was delivered."""

    name: str
    path: Path
    size: int | None = None  # as received; the bytes themselves may have been removed by an erasure


@dataclass
class ReadResult:
    """One delivery as text. Each frame below is listed with its columns.

    tables      table -> frame of str columns (every declared column, undeclared ones as delivered) and `POSITION`;
                a missing or empty cell is null
    structure   rows that are not data: file, part, line, kind (title, header, repeated_header, blank, total; sheet: a row of a sheet
                without data; earlier: a row of the table of an earlier period)
    unreadable  rows to be quarantined: file, part, line, table, record_key (null where it cannot be read), rule, raw (bytes);
                each already has its finding in `findings`
    findings    mappings for `schemas.findings.build_findings`, without institution and delivery
    files       file -> state: complete, partial (some of it could not be read and may be lost), unreadable,
                missing (declared, not delivered), foreign (a file of another institution),
                leftover (*.part, *-journal, ~$*, ...), undeclared
    rows        file -> number of physical rows, counted on reading, independently of their outcome
    declared    metadata stated in a file, by name (`periudha`, `krijuar`)
    layout      positions of declared columns in formats with a column order: file, part, field, column (from 1, as delivered)
    blanked     cells emptied by an erasure (`harmonia.operations.erasure`): _row, field, content (a number in place of the former row)
    judged      findings on the rows in `blanked` before the erasure, which replace the present findings: _row, table, field, rule
    """

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    structure: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["file", "part", "line", "kind"]))
    unreadable: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["file", "part", "line", "table", "record_key", "rule", "raw"])
    )
    findings: list[Mapping[str, Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    layout: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["file", "part", "field", "column"]))
    blanked: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["_row", "field", "content"]))
    judged: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["_row", "table", "field", "rule"]))

    @property
    def state(self) -> str:
        """The state of the delivery as far as reading tells; validation also checks the records (`pipelines.validation.completeness`)."""
        return delivery_state(self.files.values())


def count_rows_by_file(result: ReadResult) -> pd.DataFrame:
    """Return the row accounting by file. Columns: file, rows_read, data, structural, unreadable.

    In XML a row is an element of a declared table, in a database a table row. `rows_read` is counted while reading, and equals the sum of
    the other three (`docs/reference/counting-rules.md`, "Record status").
    """
    data = pd.concat([frame["_file"] for frame in result.tables.values()]) if result.tables else pd.Series(dtype="str")
    counts = {
        "rows_read": pd.Series(result.rows, dtype="int64"),
        "data": data.value_counts(),
        "structural": result.structure["file"].value_counts(),
        "unreadable": result.unreadable["file"].value_counts(),
    }
    out = pd.DataFrame(counts, index=sorted(result.files)).fillna(0).astype("int64")
    return out.rename_axis("file").reset_index()
