"""The types that every reader takes and returns. Nothing else belongs here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sources.completeness_states import delivery_state

POSITION: tuple[str, ...] = ("_file", "_part", "_line", "_row", "_parent")
"""The columns that give the position of a row, in every table that was read.

`_file`: the file. `_part`: the sheet or table, otherwise null. `_line`: the line; null for rows of a database. `_row`: the number of the
row, unique in the delivery across all tables. `_parent`: `_row` of the parent row in the same file, found by nesting or by key; otherwise
null. The first two are text, the others Int64.
"""


@dataclass(frozen=True)
class SourceFile:
    """A landed file: its path, and the name under which it was delivered."""

    name: str
    path: Path
    size: int | None = None  # as received; the bytes themselves may have been removed by an erasure


@dataclass
class ReadResult:
    """One delivery as text. For each frame, the columns are listed.

    tables      for each table a frame of text columns (all declared columns, and undeclared ones as delivered) and the columns in
                `POSITION`; a missing or empty cell is null
    structure   rows that are not data: file, part, line, kind (title, header, repeated_header, blank, total; sheet: a row of a sheet
                without data; earlier: a row of the table of an earlier period)
    unreadable  rows to be quarantined: file, part, line, table, record_key (null if it cannot be read), rule, raw (bytes);
                `findings` already has a finding on each of them
    findings    mappings for `schemas.findings.build_findings`, without institution and delivery
    files       the state of each file: complete, partial (some of it could not be read and may be lost), unreadable,
                missing (declared, but not delivered), foreign (a file of another institution),
                leftover (*.part, *-journal, ~$*, ...), undeclared
    rows        the number of physical rows of each file, counted while reading, whatever becomes of them
    declared    metadata that a file states about itself, by name (`periudha`, `krijuar`)
    layout      the position of each declared column, if the format has an order of columns: file, part, field, column (from 1)
    blanked     cells that an erasure emptied (`harmonia.operations.erasure`): _row, field, content (a number that stands for the
                former content of the row, so that rows that differed before still differ)
    judged      findings from before the erasure on the rows in `blanked`; they replace the present findings: _row, table, field, rule
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
        """The state of the delivery as far as reading shows it. Validation also checks the records
        (`pipelines.validation.completeness`)."""
        return delivery_state(self.files.values())


def count_rows_by_file(result: ReadResult) -> pd.DataFrame:
    """Return the row accounting of each file, with the columns file, rows_read, data, structural and unreadable.

    In XML a row is an element of a declared table, in a database it is a row of a table. `rows_read` is counted while reading, and equals
    the sum of the three columns after it (`docs/reference/counting-rules.md`, "Record status").
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
