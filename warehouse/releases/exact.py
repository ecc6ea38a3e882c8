"""Count the exact figures of the table programme from the warehouse. These figures are confidential.

Belongs here: the counts of each table and year (harmonised, as reported, and the bridge between them), and their conversion to a frame.
Does not belong here: which of them are published (`warehouse/disclosure`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from harmonia.errors import HarmoniaError
from warehouse.count import meanings_of_bridge_causes
from warehouse.disclosure.programme import (
    CROSS_SEPARATOR,
    HARMONISED,
    LEADING,
    OFFENCE,
    QUARTER,
    REPORTED,
    SEX_AGE,
    TOTAL,
    Programme,
    TableKey,
)

Counts = dict[TableKey, tuple[int, ...] | None]
_PERSON_DIMENSIONS = ("form", "sex", "age_group", "citizenship_group")
BRIDGE = "bridge"
"""The name that stands for both the measure and the table of the counts by cause of the bridge."""


def count_exact_figures(programme: Programme, tables: Mapping[str, pd.DataFrame]) -> Counts:
    """Return the exact counts of every table of every published year.

    tables: the tables `statistics`, `counted` and `bridge` of the warehouse. The counts of a table are in the order of `Programme.cells`;
    the counts of the bridge are in the order of the causes. If none of the indicator's institutions delivered, the only table of the year
    is the total, and its value is None. All tables except the total and the table by offence are about the leading group only.
    """
    statistics = tables["statistics"]
    yearly = statistics[statistics["period"].str.len() == 4]
    units = _select_units_with_published_categories(programme, tables["counted"])
    counts: Counts = {}
    for names, figures in yearly.groupby(["indicator", "period"]):
        code, year = map(str, names)
        if code not in programme.indicators:
            continue
        grand_total = figures[(figures[["offence_group", *_PERSON_DIMENSIONS]] == TOTAL).all(axis=1)].iloc[0]
        if pd.isna(grand_total["harmonised"]):
            counts[TableKey(code, HARMONISED, TOTAL, year)] = None
            continue
        counts |= _count_harmonised_tables_of_year(programme, code, year, units[(units["indicator"] == code) & (units["year"] == year)])
        counts |= _count_reported_tables_of_year(code, year, figures, int(grand_total["as_reported"]))
        counts |= _count_records_by_bridge_cause(code, year, tables["bridge"])
    return counts


def _select_units_with_published_categories(programme: Programme, counted: pd.DataFrame) -> pd.DataFrame:
    """Return the units that count in a year, with the columns indicator, year, quarter, and a column with the published category for each
    dimension."""
    units = counted[counted["counts_in_year"].astype("bool")]
    day = pd.to_datetime(units["day"])
    categories = {d: units[d].map(programme.category_of[d]) for d in (OFFENCE, *_PERSON_DIMENSIONS)}
    return units[["indicator"]].assign(year=day.dt.year.astype("str"), quarter="Q" + day.dt.quarter.astype("str"), **categories)


def _count_harmonised_tables_of_year(programme: Programme, code: str, year: str, units: pd.DataFrame) -> Counts:
    indicator = programme.indicators[code]
    offence = units[OFFENCE].where(units[OFFENCE].isin(indicator.offences), indicator.offences[-1])
    leading = units[offence == LEADING]
    columns = {
        **{table: leading[table] for table in (*_PERSON_DIMENSIONS, QUARTER)},
        OFFENCE: offence,
        SEX_AGE: leading["sex"] + CROSS_SEPARATOR + leading["age_group"],
    }
    counts: Counts = {TableKey(code, HARMONISED, TOTAL, year): (len(units),)}
    for table in (OFFENCE, *indicator.tables):
        key = TableKey(code, HARMONISED, table, year)
        by_cell = columns[table].value_counts()
        counts[key] = tuple(int(by_cell.get(cell, 0)) for cell in programme.cells(key))
    return counts


def _count_reported_tables_of_year(code: str, year: str, figures: pd.DataFrame, total: int) -> Counts:
    """Return the counts as reported: the total, the leading group (the offence group that is broken down), and the rest."""
    rows = figures[(figures[list(_PERSON_DIMENSIONS)] == TOTAL).all(axis=1) & (figures[OFFENCE] == LEADING)]
    leading = int(rows["as_reported"].iloc[0]) if len(rows) else 0
    offences = (leading, total - leading)
    return {TableKey(code, REPORTED, TOTAL, year): (total,), TableKey(code, REPORTED, OFFENCE, year): offences}


def _count_records_by_bridge_cause(code: str, year: str, bridge: pd.DataFrame) -> Counts:
    records = bridge[(bridge["indicator"] == code) & (bridge["period"] == year)].groupby("cause")["n"].sum()
    return {TableKey(code, BRIDGE, BRIDGE, year): tuple(int(records.get(cause, 0)) for cause in meanings_of_bridge_causes())}


def convert_counts_to_frame(programme: Programme, counts: Counts) -> pd.DataFrame:
    """Return `counts` as rows with the columns indicator, measure, table, of, cell, value. The value is null if nothing was delivered."""
    rows = []
    for key, values in sorted(counts.items()):
        cells = tuple(meanings_of_bridge_causes()) if key.table == BRIDGE else programme.cells(key)
        rows += [(*key, cell, value) for cell, value in zip(cells, values if values else [None] * len(cells), strict=True)]
    return pd.DataFrame(rows, columns=["indicator", "measure", "table", "of", "cell", "value"]).astype({"value": "Int64"})


def convert_frame_to_counts(programme: Programme, frame: pd.DataFrame) -> Counts:
    """Convert rows in any order to counts; this is the inverse of `convert_counts_to_frame`. A cause of the bridge that the frame lacks
    gets the count 0.

    Raises `HarmoniaError` if a table lacks a category of the programme, or has a category that is not in the programme.
    """
    counts: Counts = {}
    for names, rows in frame.groupby(["indicator", "measure", "table", "of"], sort=False):
        key = TableKey(*map(str, names))
        if key.indicator not in programme.indicators:
            continue
        values = rows.set_index("cell")["value"]
        cells = tuple(meanings_of_bridge_causes()) if key.table == BRIDGE else programme.cells(key)
        unknown = sorted(set(values.index) - set(cells))
        if unknown or not values.index.is_unique or (key.table != BRIDGE and len(values) != len(cells)):
            raise HarmoniaError(
                f"exact figures of {' '.join(key)} have other categories than the policy in force ({', '.join(values.index)}): "
                "sign a policy with the categories of the earlier releases"
            )
        counts[key] = None if values.isna().any() else tuple(int(values.get(cell, 0)) for cell in cells)
    return counts
