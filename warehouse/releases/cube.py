"""The protected cube: every published figure as a row. docs/reference/releases.md describes its columns.

Belongs here: the columns, and the conversion of published tables to rows and back. Does not belong here: what is published
(`warehouse/disclosure`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from warehouse.disclosure.programme import (
    CROSS_SEPARATOR,
    MERGE_SEPARATOR,
    OFFENCE,
    QUARTER,
    SEX_AGE,
    TOTAL,
    TRAFFICKING,
    TableKey,
    years_in,
)
from warehouse.disclosure.published_tables import PublishedTable, Status

DIMENSIONS = ("offence_group", "sex", "age_group", "citizenship_group", "form")
SCHEMA = pa.schema(
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
BRIDGE = pa.schema(
    [
        *((name, pa.string()) for name in ("indicator", "period", "cause")),
        ("n", pa.int64()),
        *((name, pa.string()) for name in ("status", "edition", "known")),
    ]
)
SHOWN, JOINT = "shown", "joined"


def _period(key: TableKey, cell: str) -> str:
    return (
        MERGE_SEPARATOR.join(f"{key.period}-{quarter}" for quarter in cell.split(MERGE_SEPARATOR))
        if key.table == QUARTER and cell
        else key.period
    )


def _dimensions(key: TableKey, cell: str) -> dict[str, str]:
    out = dict.fromkeys(DIMENSIONS, TOTAL)
    if key.table != TOTAL:
        out["offence_group"] = TRAFFICKING
    if key.table == OFFENCE:
        out["offence_group"] = cell or TOTAL
    elif key.table == SEX_AGE and cell:
        out["sex"], out["age_group"] = cell.split(CROSS_SEPARATOR)
    elif key.table in DIMENSIONS and cell:
        out[key.table] = cell
    return out


def cube_rows(
    prints: Mapping[TableKey, PublishedTable],
    gaps: Mapping[tuple[str, str, str], str],
    revised: set[tuple[TableKey, str]],
    counted: Mapping[TableKey, Mapping[str, str]] | None = None,
) -> pd.DataFrame:
    """The cube of published figures, in a fixed order.

    gaps: (known, indicator, year) → missing deliveries, comma-separated; revised: figures (table, cell) that an earlier release published
    differently; counted: for windows, by year: the release whose records it counts.
    """
    out = []
    for key, made in sorted(prints.items()):
        known = (counted or {}).get(key, {})
        found = (gaps.get((known.get(y, made.source_release), key.indicator, y)) for y in years_in(key.period))
        missing = ", ".join(dict.fromkeys(filter(None, found)))
        for cell, value in made.cells or (("", None),):
            kind = "window" if "/" in key.period else "quarter" if key.table == QUARTER else "year"
            status = made.status if made.status != "published" else JOINT if MERGE_SEPARATOR in cell else SHOWN
            out.append(
                {
                    **key._asdict(),
                    "of": key.period,
                    "cell": cell,
                    "period": _period(key, cell),
                    "period_type": kind,
                    **_dimensions(key, cell),
                    "value": value,
                    "status": status,
                    "limit": made.limit,
                    "incomplete": bool(missing),
                    "missing": missing or None,
                    "edition": made.first_release,
                    "known": made.source_release,
                    "revised": (key, cell) in revised,
                }
            )
    return pd.DataFrame(out, columns=SCHEMA.names).astype({"value": "Int64", "limit": "Int64"})


def prints_of(cube: pd.DataFrame) -> dict[TableKey, PublishedTable]:
    """The published tables of a cube: the inverse of `cube_rows`."""
    out: dict[TableKey, PublishedTable] = {}
    for names, part in cube.groupby(["indicator", "measure", "table", "of"], sort=True):
        first = part.iloc[0]
        cells = tuple((str(c), int(v)) for c, v in zip(part["cell"], part["value"], strict=True) if pd.notna(v))
        status: Status = "published" if cells else first["status"]
        limit = int(first["limit"]) if pd.notna(first["limit"]) else None
        out[TableKey(*map(str, names))] = PublishedTable(status, cells, first["edition"], first["known"], limit)
    return out
