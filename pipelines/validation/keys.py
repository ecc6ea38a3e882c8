"""Keys of delivered rows: the key of the row itself, the key of its record, the key of its case, and which keys cannot be read.

Belongs here: whether a row must be quarantined because of its key. Values of other cells are checked in `cells`.
"""

from __future__ import annotations

import pandas as pd

from sources.contract import ColumnSpec, Contract, TableSpec

_JOIN = "/"


def extract_key_parts(frame: pd.DataFrame, spec: TableSpec, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the key columns of a typed frame as text. Dates become ISO days, other values trimmed text, and empty cells null."""
    return pd.DataFrame({c: _convert_key_to_text(frame[c], spec.column(c)) for c in columns}, index=frame.index, columns=list(columns))


def join_key_parts(parts: pd.DataFrame) -> pd.Series:
    """Join the key parts of each row with `/`. The result is null if one part is null (`docs/reference/counting-rules.md`, `lineage`)."""
    if parts.shape[1] == 0:
        return pd.Series(pd.NA, index=parts.index, dtype="str")
    out = parts.iloc[:, 0]
    for column in parts.columns[1:]:
        out = out + _JOIN + parts[column]
    return out.astype("str")


def are_keys_readable(parts: pd.DataFrame, spec: TableSpec) -> pd.Series:
    """Return whether the key of each row can be read.

    Every part of the key must have a letter or digit, and its beginning must match the pattern that the contract declares. So a number that
    is followed by a note is readable.
    """
    good = parts.notna().all(axis=1)
    for column in parts.columns:
        good &= parts[column].str.contains(r"[^\W_]", regex=True, na=False)
        pattern = spec.column(column).pattern
        if pattern:
            good &= parts[column].str.match(pattern, na=False)
    return good


def add_keys(contract: Contract, tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Add `_key` (the row's own key), `_record` (the key of the record to which the row belongs) and `_case` (the key of its case).

    A row of a table of records is itself the record. For any other row, `_record` comes from the columns `via` of the row, otherwise from
    its parent row (`_parent`). `_case` is the key of the case row itself; for any other row it comes from the parent row, otherwise from
    the row's own columns. A key that is not found is null.
    """
    out: dict[str, pd.DataFrame] = {}
    for name, spec in order_tables_parents_first(contract):
        if name not in tables:
            continue
        frame = tables[name].copy()
        frame["_key"] = join_key_parts(extract_key_parts(frame, spec, spec.key))
        record_of_parent = _look_up_parent_values(frame, spec, out, "_record")
        via = join_key_parts(extract_key_parts(frame, spec, spec.via)) if spec.via else _make_null_column(frame)
        parent_record = via.where(via.notna(), record_of_parent) if spec.parent else _make_null_column(frame)
        frame["_record"] = frame["_key"] if spec.entity else parent_record
        frame["_case"] = _find_case_keys(frame, spec, contract, parent_record, _look_up_parent_values(frame, spec, out, "_case"))
        out[name] = frame
    return out


def _look_up_parent_values(frame: pd.DataFrame, spec: TableSpec, tables: dict[str, pd.DataFrame], column: str) -> pd.Series:
    """Return the value of `column` in the parent row of each row; null if a row has no parent row."""
    parent = tables.get(spec.parent or "")
    if parent is None:
        return _make_null_column(frame)
    rows = parent[["_row", column]].dropna(subset=["_row"]).drop_duplicates("_row", keep="last").set_index("_row")[column]
    return frame["_parent"].map(rows).astype("str")


def _find_case_keys(
    frame: pd.DataFrame, spec: TableSpec, contract: Contract, parent_record: pd.Series, case_of_parent: pd.Series
) -> pd.Series:
    """Return the key of the case of each row."""
    if spec.entity in ("case", "both"):
        return frame["_key"]
    if spec.parent and contract.tables[spec.parent].entity in ("case", "both"):
        return case_of_parent.where(case_of_parent.notna(), parent_record)
    prefix = spec.via[:-1]  # a nested person key starts with its case key
    case_by_prefix = join_key_parts(extract_key_parts(frame, spec, prefix)) if prefix else _make_null_column(frame)
    return case_of_parent.where(case_of_parent.notna(), case_by_prefix)


def order_tables_parents_first(contract: Contract) -> list[tuple[str, TableSpec]]:
    """Return the tables of a contract in an order in which each table comes after its parent table."""
    depth = {name: 0 for name, spec in contract.tables.items() if not spec.parent}
    while len(depth) < len(contract.tables):
        for name, spec in contract.tables.items():
            if name not in depth and spec.parent in depth:
                depth[name] = depth[spec.parent] + 1
    return sorted(contract.tables.items(), key=lambda item: depth[item[0]])


def _convert_key_to_text(cells: pd.Series, spec: ColumnSpec) -> pd.Series:
    """Return the cells of a key column as trimmed text; a date becomes an ISO day."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return cells.dt.strftime("%Y-%m-%d").astype("str")
    text = cells.astype("str").str.strip()
    if spec.type == "integer":
        text = text.str.replace(r"\.0+$", "", regex=True)
    return text.where(text != "", None)


def _make_null_column(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(None, index=frame.index, dtype="str")
