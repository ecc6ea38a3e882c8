"""Rows from which an erasure removed data: they keep the findings that they had before.

Belongs here: using the frames `blanked` and `judged` of `ReadResult` in validation. Does not belong here: removing the data
(`harmonia.operations.erasure`). A cell that was emptied counts as filled, the earlier findings on its row remain, and rows that were
different before count as different. So an erasure changes no figure, not even a figure on quality.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from pipelines.validation.row_numbers import compute_first_row_number
from sources.readers.result import ReadResult

_CELL_COLUMNS, _FINDING_COLUMNS = ["_row", "field", "content"], ["_row", "table", "field", "rule"]


def _concatenate_frames_of_deliveries(
    results: Mapping[str, ReadResult], deliveries: pd.DataFrame, name: str, columns: list[str]
) -> pd.DataFrame:
    """Concatenate the frame `name` of the results of several deliveries. `_row` becomes unique over all deliveries."""
    parts = [
        frame.assign(_row=frame["_row"].astype("int64") + compute_first_row_number(period, version))
        for delivery, period, version in zip(deliveries["delivery"], deliveries["period"], deliveries["version"], strict=True)
        if len(frame := getattr(results[delivery], name))
    ]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def list_redacted_cells(results: Mapping[str, ReadResult], deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that erasures emptied, in all deliveries.

    Columns: _row, field (null if the row had no filled cell), content (the hash of the row before the erasure).
    """
    return _concatenate_frames_of_deliveries(results, deliveries, "blanked", _CELL_COLUMNS)


def mark_redacted_cells(frame: pd.DataFrame, redacted_cells: pd.DataFrame) -> pd.DataFrame:
    """Return the typed rows of a table, in which emptied cells are marked as filled, and with the hash of the content before the erasure.

    `frame` has the columns `_row`, `_content` and `name:given`. `redacted_cells` comes from `list_redacted_cells`.
    """
    cells_of_table = redacted_cells[redacted_cells["_row"].isin(frame["_row"])]
    if cells_of_table.empty:
        return frame
    out = frame.copy()
    for field, rows in cells_of_table.dropna(subset=["field"]).groupby("field")["_row"]:
        out[f"{field}:given"] |= out["_row"].isin(rows)
    content = out["_row"].map(cells_of_table.drop_duplicates("_row").set_index("_row")["content"])
    out["_content"] = out["_content"].mask(content.notna(), content.fillna(0).astype("uint64"))
    return out


def drop_findings_of_redacted_rows(findings: pd.DataFrame, redacted_cells: pd.DataFrame) -> pd.DataFrame:
    """Return `findings` without those on rows with emptied cells. `redacted_cells` comes from `list_redacted_cells`."""
    return findings[~findings["_row"].isin(redacted_cells["_row"])] if len(redacted_cells) else findings


def find_findings_before_erasure(
    results: Mapping[str, ReadResult], deliveries: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, str, str | None, pd.Index]]:
    """Yield the findings that rows had before an erasure emptied cells in them: table, rule, field, and the index of the rows."""
    known = _concatenate_frames_of_deliveries(results, deliveries, "judged", _FINDING_COLUMNS)
    for (table, rule, field), rows in known.fillna({"field": ""}).groupby(["table", "rule", "field"])["_row"]:
        frame = tables[str(table)]
        yield str(table), str(rule), str(field) or None, frame.index[frame["_row"].isin(rows)]
