"""The exact figures of the table programme, counted from the warehouse. Confidential.

Belongs here: counts per table and year, harmonised, as reported, and the bridge between; their frame. Does not belong here: which of them
are published (`warehouse/disclosure`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipelines.errors import HarmoniaError
from warehouse.count import causes
from warehouse.disclosure.programme import (
    CROSS_SEPARATOR,
    HARMONISED,
    OFFENCE,
    QUARTER,
    REPORTED,
    SEX_AGE,
    TOTAL,
    TRAFFICKING,
    Programme,
    TableKey,
)

Counts = dict[TableKey, tuple[int, ...] | None]
_OTHERS = ("form", "sex", "age_group", "citizenship_group")
BRIDGE = "bridge"


def exact(programme: Programme, tables: Mapping[str, pd.DataFrame]) -> Counts:
    """Every table of every published year.

    tables: `statistics`, `counted`, `bridge` of the warehouse. Out: counts in the order of `Programme.cells` (bridge: of the causes); None
    if none of the indicator's institutions delivered. Tables other than total and offence are about trafficking only; units count in
    the quarter of the event with which they count in the year, so that quarters add up to the year.
    """
    statistics = tables["statistics"]
    yearly = statistics[statistics["period"].str.len() == 4]
    units = _units(programme, tables["counted"])
    out: Counts = {}
    for names, part in yearly.groupby(["indicator", "period"]):
        code, year = map(str, names)
        if code not in programme.indicators:
            continue
        grand = part[(part[["offence_group", *_OTHERS]] == TOTAL).all(axis=1)].iloc[0]
        if pd.isna(grand["harmonised"]):
            out[TableKey(code, HARMONISED, TOTAL, year)] = None
            continue
        mine = units[(units["indicator"] == code) & (units["year"] == year)]
        out |= _harmonised(programme, code, year, mine)
        out |= _reported(code, year, part, int(grand["as_reported"]))
        out |= _bridge(code, year, tables["bridge"])
    return out


def _units(programme: Programme, counted: pd.DataFrame) -> pd.DataFrame:
    """Units of the year with published categories: indicator, year, quarter and the dimensions."""
    live = counted[counted["counts_in_year"].astype("bool")]
    day = pd.to_datetime(live["day"])
    mapped = {d: live[d].map(programme.category_of[d]) for d in (OFFENCE, *_OTHERS)}
    return live[["indicator"]].assign(year=day.dt.year.astype("str"), quarter="Q" + day.dt.quarter.astype("str"), **mapped)


def _harmonised(programme: Programme, code: str, year: str, units: pd.DataFrame) -> Counts:
    spec = programme.indicators[code]
    offence = units[OFFENCE].where(units[OFFENCE].isin(spec.offences), spec.offences[-1])
    trafficking = units[offence == TRAFFICKING]
    values = {OFFENCE: offence, QUARTER: trafficking["quarter"], SEX_AGE: trafficking["sex"] + CROSS_SEPARATOR + trafficking["age_group"]}
    out: Counts = {TableKey(code, HARMONISED, TOTAL, year): (len(units),)}
    for table in (OFFENCE, *spec.tables):
        key = TableKey(code, HARMONISED, table, year)
        column = values[table] if table in values else trafficking[table]
        tally = column.value_counts()
        out[key] = tuple(int(tally.get(cell, 0)) for cell in programme.cells(key))
    return out


def _reported(code: str, year: str, part: pd.DataFrame, total: int) -> Counts:
    """As reported: the total, and trafficking beside the rest."""
    one_way = part[(part[list(_OTHERS)] == TOTAL).all(axis=1) & (part[OFFENCE] == TRAFFICKING)]
    own = int(one_way["as_reported"].iloc[0]) if len(one_way) else 0
    return {TableKey(code, REPORTED, TOTAL, year): (total,), TableKey(code, REPORTED, OFFENCE, year): (own, total - own)}


def _bridge(code: str, year: str, bridge: pd.DataFrame) -> Counts:
    mine = bridge[(bridge["indicator"] == code) & (bridge["period"] == year)].groupby("cause")["n"].sum()
    return {TableKey(code, BRIDGE, BRIDGE, year): tuple(int(mine.get(cause, 0)) for cause in causes())}


def to_frame(programme: Programme, counts: Counts) -> pd.DataFrame:
    """`counts` as rows: indicator, measure, table, of, cell, value (null: no delivery)."""
    rows = []
    for key, values in sorted(counts.items()):
        cells = tuple(causes()) if key.table == BRIDGE else programme.cells(key)
        rows += [(*key, cell, value) for cell, value in zip(cells, values if values else [None] * len(cells), strict=True)]
    return pd.DataFrame(rows, columns=["indicator", "measure", "table", "of", "cell", "value"]).astype({"value": "Int64"})


def from_frame(programme: Programme, frame: pd.DataFrame) -> Counts:
    """The inverse of `to_frame`, for rows in any order. A cause missing in the frame has no records.

    Raises `HarmoniaError` if a table lacks a category of the programme or has another one.
    """
    out: Counts = {}
    for names, part in frame.groupby(["indicator", "measure", "table", "of"], sort=False):
        key = TableKey(*map(str, names))
        if key.indicator not in programme.indicators:
            continue
        counts = part.set_index("cell")["value"]
        cells = tuple(causes()) if key.table == BRIDGE else programme.cells(key)
        unknown = sorted(set(counts.index) - set(cells))
        if unknown or not counts.index.is_unique or (key.table != BRIDGE and len(counts) != len(cells)):
            raise HarmoniaError(
                f"exact figures of {' '.join(key)} have other categories than the policy in force ({', '.join(counts.index)}): "
                "sign a policy with the categories of the earlier releases"
            )
        out[key] = None if counts.isna().any() else tuple(int(counts.get(cell, 0)) for cell in cells)
    return out
