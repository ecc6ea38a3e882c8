"""Rows that an erasure emptied: they are judged as they were before, without what they held.

Belongs here: what validation knows of `ReadResult.blanked` and `.judged`. Does not belong here: emptying them (`pipelines.erasure`).

An emptied cell counts as given, what was found in its row before stands, and two rows that differed still do: so a person's erasure
changes no figure, not even of quality.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from pipelines.validate.numbering import first_row
from sources.readers.result import ReadResult

_CELLS, _JUDGED = ["_row", "field", "content"], ["_row", "table", "field", "rule"]


def _of_all(results: Mapping[str, ReadResult], deliveries: pd.DataFrame, name: str, columns: list[str]) -> pd.DataFrame:
    """A frame of several results below one another, `_row` unique over deliveries."""
    parts = [
        frame.assign(_row=frame["_row"].astype("int64") + first_row(period, version))
        for delivery, period, version in zip(deliveries["delivery"], deliveries["period"], deliveries["version"], strict=True)
        if len(frame := getattr(results[delivery], name))
    ]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def cells(results: Mapping[str, ReadResult], deliveries: pd.DataFrame) -> pd.DataFrame:
    """The emptied cells of all deliveries: _row, field (null: a row without one that was given), content."""
    return _of_all(results, deliveries, "blanked", _CELLS)


def as_given(frame: pd.DataFrame, emptied: pd.DataFrame) -> pd.DataFrame:
    """The typed rows of a table (`_row`, `_content`, `name:given`) with emptied cells as given, and the number for the content."""
    mine = emptied[emptied["_row"].isin(frame["_row"])]
    if mine.empty:
        return frame
    out = frame.copy()
    for field, rows in mine.dropna(subset=["field"]).groupby("field")["_row"]:
        out[f"{field}:given"] |= out["_row"].isin(rows)
    content = out["_row"].map(mine.drop_duplicates("_row").set_index("_row")["content"])
    out["_content"] = out["_content"].mask(content.notna(), content.fillna(0).astype("uint64"))
    return out


def without(found: pd.DataFrame, emptied: pd.DataFrame) -> pd.DataFrame:
    """What was found, but for emptied rows."""
    return found[~found["_row"].isin(emptied["_row"])] if len(emptied) else found


def judged(
    results: Mapping[str, ReadResult], deliveries: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[str, str, str | None, pd.Index]]:
    """(table, rule, field, index) of what was found in emptied rows before."""
    known = _of_all(results, deliveries, "judged", _JUDGED)
    for (table, rule, field), rows in known.fillna({"field": ""}).groupby(["table", "rule", "field"])["_row"]:
        frame = tables[str(table)]
        yield str(table), str(rule), str(field) or None, frame.index[frame["_row"].isin(rows)]
