"""Convert published tables to the protected cube, and back. The cube is a table with one row for every published figure;
docs/reference/releases.md describes its columns.

Belongs here: the columns, and the conversion of published tables to rows and back. Does not belong here: what is published
(`warehouse/disclosure`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from warehouse.disclosure.programme import (
    CROSS_SEPARATOR,
    LEADING,
    MERGE_SEPARATOR,
    OFFENCE,
    QUARTER,
    SEX_AGE,
    TOTAL,
    TableKey,
    list_years_of_window,
)
from warehouse.disclosure.published_tables import PublishedTable, Status

DIMENSIONS = ("offence_group", "sex", "age_group", "citizenship_group", "form")
CUBE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("indicator", "measure", "table", "of", "cell", "period", "period_type", *DIMENSIONS)),
        ("value", pa.int64()),
        ("status", pa.string()),
        ("limit", pa.int64()),
        ("incomplete", pa.bool_()),
        ("missing", pa.string()),
        ("edition", pa.string()),
        ("known", pa.string()),
        ("revised", pa.bool_()),
    ]
)
BRIDGE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("indicator", "period", "cause")),
        ("n", pa.int64()),
        *((name, pa.string()) for name in ("status", "edition", "known")),
    ]
)
SHOWN, MERGED = "shown", "joined"


def _find_period_of_cell(key: TableKey, cell: str) -> str:
    if key.table == QUARTER and cell:
        return MERGE_SEPARATOR.join(f"{key.period}-{quarter}" for quarter in cell.split(MERGE_SEPARATOR))
    return key.period


def _find_period_type_of_table(key: TableKey) -> str:
    if "/" in key.period:
        return "window"
    return "quarter" if key.table == QUARTER else "year"


def _find_dimension_values_of_cell(key: TableKey, cell: str) -> dict[str, str]:
    values = dict.fromkeys(DIMENSIONS, TOTAL)
    if key.table != TOTAL:
        values["offence_group"] = LEADING
    if key.table == OFFENCE:
        values["offence_group"] = cell or TOTAL
    elif key.table == SEX_AGE and cell:
        values["sex"], values["age_group"] = cell.split(CROSS_SEPARATOR)
    elif key.table in DIMENSIONS and cell:
        values[key.table] = cell
    return values


def convert_tables_to_cube(
    tables: Mapping[TableKey, PublishedTable],
    missing_deliveries: Mapping[tuple[str, str, str], str],
    revised: set[tuple[TableKey, str]],
    window_sources: Mapping[TableKey, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """Return the cube of published figures, in a fixed order.

    missing_deliveries: the missing deliveries, comma-separated, by (source release, indicator, year). revised: the figures that an earlier
    release published differently, each as (table, cell). window_sources: for each window and each of its years, the release whose records
    the window counts in that year.
    """
    rows = []
    for key, table in sorted(tables.items()):
        sources = (window_sources or {}).get(key, {})
        yearly = (
            missing_deliveries.get((sources.get(y, table.source_release), key.indicator, y)) for y in list_years_of_window(key.period)
        )
        missing = ", ".join(dict.fromkeys(filter(None, yearly)))
        for cell, value in table.cells or (("", None),):
            published_as = MERGED if MERGE_SEPARATOR in cell else SHOWN
            rows.append(
                {
                    **key._asdict(),
                    "of": key.period,
                    "cell": cell,
                    "period": _find_period_of_cell(key, cell),
                    "period_type": _find_period_type_of_table(key),
                    **_find_dimension_values_of_cell(key, cell),
                    "value": value,
                    "status": published_as if table.status == "published" else table.status,
                    "limit": table.limit,
                    "incomplete": bool(missing),
                    "missing": missing or None,
                    "edition": table.first_release,
                    "known": table.source_release,
                    "revised": (key, cell) in revised,
                }
            )
    return pd.DataFrame(rows, columns=CUBE_SCHEMA.names).astype({"value": "Int64", "limit": "Int64"})


def convert_cube_to_tables(cube: pd.DataFrame) -> dict[TableKey, PublishedTable]:
    """Return the published tables of a cube. This is the inverse of `convert_tables_to_cube`."""
    tables: dict[TableKey, PublishedTable] = {}
    for names, rows in cube.groupby(["indicator", "measure", "table", "of"], sort=True):
        first = rows.iloc[0]
        cells = tuple((str(cell), int(value)) for cell, value in zip(rows["cell"], rows["value"], strict=True) if pd.notna(value))
        status: Status = "published" if cells else first["status"]
        limit = int(first["limit"]) if pd.notna(first["limit"]) else None
        tables[TableKey(*map(str, names))] = PublishedTable(status, cells, first["edition"], first["known"], limit)
    return tables
