"""The records behind a figure, from the tables that counting wrote.

Belongs here: the rows as reported, the units counted, and the bridge between them, record by record. Does not belong here: counting rules;
texts and layout.
The units and the steps of the bridge are read from the warehouse, the rows as reported from the lake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import HarmoniaError
from pipelines.explain.naming import Figure
from pipelines.explain.published import PublishedHome
from warehouse.count.periods import quarter_of, year_of
from warehouse.indicators import DIMENSIONS

OTHER_HEADING = "described_differently"
KEY = ["institution", "record_key"]


@dataclass(frozen=True)
class FigureRecords:
    """The records and units behind a figure.

    reported  one row per record as reported in this category: institution, record_key, case_id, person_id, own_date, dimensions, `cause`
              (null: it represents a unit), `heading` (the category it counts in when harmonised, if another), `counted_by` (the record
              that represents its unit in this period), `counted_on`, `counted_in` (day and case by which it counts instead)
    units     one row per unit counted in this category: case_id, person_id, day, method, estimated, dimensions, institution and
              record_key of the record that represents it, own_date of that record, `cause` (null: also reported in this category)
    steps     institution, cause, n: as_reported + Σ n = harmonised
    """

    reported: pd.DataFrame
    units: pd.DataFrame
    steps: pd.DataFrame


def figure_records(home: PublishedHome, figure: Figure) -> FigureRecords:
    """The records and units behind `figure`. Raises `HarmoniaError` where they do not add up to the published figure."""
    every, units = _described(home, figure), _units(home, figure)
    period = quarter_of if figure.kind == "quarter" else year_of
    rows = every[period(every["own_date"]) == figure.period].reset_index(drop=True)
    moved = home.query(
        "SELECT institution, record_key, cause, sign FROM bridge_records WHERE indicator = ? AND period = ?",
        [figure.indicator.code, figure.period],
    )
    unit_key = "case_id" if figure.indicator.unit == "case" else "unit"
    rows, units = _with_unit(rows), _with_unit(units)
    rows = _counts_instead(home, figure, rows, unit_key)
    removed = moved[moved["sign"] < 0].drop_duplicates(KEY)
    rows = rows.merge(removed[[*KEY, "cause"]], on=KEY, how="left")
    representing = rows[rows["cause"].isna()].drop_duplicates(unit_key).set_index(unit_key)
    added = _added(home, moved[moved["sign"] > 0], figure)
    units = _add_record(units, representing, added, unit_key)
    own = every.drop_duplicates(KEY).set_index(KEY)["own_date"]
    units = units.assign(own_date=own.reindex(pd.MultiIndex.from_frame(units[KEY])).to_numpy())
    _check(figure, len(rows[rows["cause"].isna()]), len(units), units)
    return _in_category(figure, rows, units, unit_key)


def _described(home: PublishedHome, figure: Figure) -> pd.DataFrame:
    """All rows as reported of the indicator in any period, with their own dimensions."""
    rows = home.rows_of(figure.indicator.code)
    own = rows[rows["own_date"].notna()].drop(columns=list(DIMENSIONS)).reset_index(drop=True)
    return own.rename(columns={f"{dimension}_reported": dimension for dimension in DIMENSIONS})


def _units(home: PublishedHome, figure: Figure) -> pd.DataFrame:
    """All units that count in the period."""
    period = "year(day) = ?" if figure.kind == "year" else "year(day) = ? AND quarter(day) = ?"
    numbers = [int(part) for part in figure.period.replace("Q", "").split("-")]
    query = f"SELECT * FROM counted WHERE indicator = ? AND counts_in_{figure.kind} AND {period} ORDER BY day, case_id, person_id"
    return home.query(query, [figure.indicator.code, *numbers]).astype({"case_id": "str", "person_id": "str"})


def _counts_instead(home: PublishedHome, figure: Figure, rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Add `counted_on` and `counted_in`: the day and the case in which the unit of each row counts, in any period.

    Where the unit is not counted, the person's counted unit: that of the period, else the earliest.
    """
    every = home.query(
        f"SELECT case_id, person_id, day FROM counted WHERE indicator = ? AND counts_in_{figure.kind} ORDER BY day", [figure.indicator.code]
    )
    period = quarter_of if figure.kind == "quarter" else year_of
    elsewhere = every.assign(other=period(every["day"].astype("datetime64[s]")) != figure.period)
    elsewhere = elsewhere.sort_values(["other", "day"], kind="stable").dropna(subset=["person_id"]).drop_duplicates("person_id")
    own, person = _with_unit(every).drop_duplicates(by).set_index(by, drop=False), elsewhere.set_index("person_id")
    out = rows.copy()
    for name, column in (("counted_on", "day"), ("counted_in", "case_id")):
        found = pd.Series(own[column].reindex(rows[by]).to_numpy(), index=rows.index)
        out[name] = found.where(found.notna(), pd.Series(person[column].reindex(rows["person_id"]).to_numpy(), index=rows.index))
    return out


def _with_unit(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(unit=frame["case_id"].astype("str") + " " + frame["person_id"].astype("str").fillna(""))


def _added(home: PublishedHome, moved: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """The records behind units that no row of the period represents, with the ids of their unit."""
    entity = figure.indicator.rows.record
    ids = home.query(
        "SELECT DISTINCT institution, record_key, case_id, person_id FROM lineage WHERE entity = ? AND status = 'accepted'", [entity]
    )
    found = moved.merge(ids.drop_duplicates(KEY), on=KEY, how="left")
    lost = found["case_id"].isna()  # an implied case record has no row in `lineage`
    cases = home.identities["cases"].drop_duplicates(KEY).set_index(KEY)["case_id"]
    named = pd.Series(cases.reindex(pd.MultiIndex.from_frame(found[KEY])).to_numpy(), index=found.index, dtype="str")
    return _with_unit(found.assign(case_id=found["case_id"].astype("str").mask(lost, named), person_id=found["person_id"].astype("str")))


def _add_record(units: pd.DataFrame, representing: pd.DataFrame, added: pd.DataFrame, by: str) -> pd.DataFrame:
    """Add to each unit the record that represents it, and the cause where that was not reported in the period."""
    other = added.drop_duplicates(by).set_index(by)
    keys = units[by]
    out = units.copy()
    for column in KEY:
        found = pd.Series(representing[column].reindex(keys).to_numpy(), index=units.index, dtype="str")
        out[column] = found.fillna(pd.Series(other[column].reindex(keys).to_numpy(), index=units.index, dtype="str"))
    cause = pd.Series(other["cause"].reindex(keys).to_numpy(), index=units.index, dtype="str")
    return out.assign(cause=cause.where(~keys.isin(representing.index)))


def _check(figure: Figure, representing: int, counted: int, units: pd.DataFrame) -> None:
    added = int(units["cause"].notna().sum())
    if representing + added != counted or units["record_key"].isna().any():
        raise HarmoniaError(
            f"{figure.name}: the records do not add up to the figure ({representing} reported, {added} added, {counted} counted): "
            "the lake and the warehouse are from different runs; run again, and report it if that does not help"
        )


def _matches(frame: pd.DataFrame, figure: Figure) -> pd.Series:
    found = pd.Series(True, index=frame.index)
    for dimension, value in figure.breakdown.items():
        found &= frame[dimension] == value
    return found


def _heading(frame: pd.DataFrame, figure: Figure) -> pd.Series:
    """The category of each row in the figure's dimensions."""
    heading = pd.Series("", index=frame.index, dtype="str")
    for n, dimension in enumerate(figure.breakdown):
        heading = heading + (" · " if n else "") + frame[dimension].astype("str").fillna("unknown")
    return heading


def _in_category(figure: Figure, rows: pd.DataFrame, units: pd.DataFrame, by: str) -> FigureRecords:
    """Keep the rows and units in the figure's category; a record whose unit is in another category is a separate step."""
    here, there = _matches(rows, figure), _matches(units, figure)
    named = units["institution"] + ":" + units["record_key"]
    unit_of = units.assign(here=there, heading=_heading(units, figure), named=named).set_index(by)
    row_of = rows[rows["cause"].isna()].assign(here=here, heading=_heading(rows, figure)).drop_duplicates(by).set_index(by)
    reported, counted = rows[here].copy(), units[there].copy()
    counted_here = pd.Series(unit_of["here"].reindex(reported[by]).to_numpy(), index=reported.index)
    reported["counted_by"] = pd.Series(unit_of["named"].reindex(reported[by]).to_numpy(), index=reported.index, dtype="str")
    other = reported["cause"].isna() & ~counted_here.fillna(False).astype(bool)
    reported["heading"] = pd.Series(unit_of["heading"].reindex(reported[by]).to_numpy(), index=reported.index, dtype="str").where(other)
    reported["cause"] = reported["cause"].mask(other, OTHER_HEADING)
    reported_here = pd.Series(row_of["here"].reindex(counted[by]).to_numpy(), index=counted.index)
    other = counted["cause"].isna() & ~reported_here.fillna(False).astype(bool)
    counted["heading"] = pd.Series(row_of["heading"].reindex(counted[by]).to_numpy(), index=counted.index, dtype="str").where(other)
    counted["cause"] = counted["cause"].mask(other, OTHER_HEADING)
    moved = pd.concat([reported.assign(n=-1), counted.assign(n=1)], ignore_index=True)[["institution", "cause", "n"]].dropna(
        subset=["cause"]
    )
    steps = moved.groupby(["institution", "cause", np.sign(moved["n"]).rename("sign")])["n"].sum().reset_index()
    out = FigureRecords(reported, counted, steps[["institution", "cause", "n"]])
    _adds_up(figure, out)
    return out


def _adds_up(figure: Figure, found: FigureRecords) -> None:
    steps = int(found.steps["n"].sum())
    if (len(found.reported), len(found.units)) != (figure.as_reported, figure.harmonised) or len(found.reported) + steps != len(
        found.units
    ):
        raise HarmoniaError(
            f"{figure.name}: {len(found.reported)} records as reported {steps:+d} = {len(found.units)} counted, but "
            f"{figure.as_reported} and {figure.harmonised} are published: the lake and the warehouse are from different runs; run again, "
            "and report it if that does not help"
        )
