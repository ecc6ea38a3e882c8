"""Find the records behind a published figure: the reported records, the counted units, and the records that make the difference.

The counted units and the steps of the bridge are read from the warehouse, the reported records from the lake.
Does not belong here: counting rules, texts and layout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.explain.figure_names import Figure
from harmonia.explain.published import PublishedHome
from warehouse.count.periods import find_quarter_of_each_day, find_year_of_each_day
from warehouse.indicators import DIMENSIONS

OTHER_HEADING = "described_differently"
FURTHER_EVENT = "shelter_changed"  # the cause of a row that is not the first event of its record
KEY = ["institution", "record_key"]


@dataclass(frozen=True)
class FigureRecords:
    """The records and units behind a figure.

    reported  the records that are reported in the category of the figure, one row each. Columns: institution, record_key, case_id,
              person_id, own_date, the dimensions, `cause` (why the row does not count here; null if it represents a unit that does),
              `heading` (the category in which its unit counts, if another), `counted_by` (the record that represents its unit in this
              period), `counted_on` and `counted_in` (day and case with which its unit counts)
    units     the units that count in the category of the figure, one row each. Columns: case_id, person_id, day, method, estimated, the
              dimensions, institution and record_key of the record that represents the unit, own_date of the event of this record on that
              day, `cause` (why it counts although it is not reported here; null if it is also reported here)
    steps     the sum `n` by institution and cause: as_reported plus the sum of all n is harmonised
    Records and units are sorted by institution and record_key, so that the order does not depend on the ids of a home.
    """

    reported: pd.DataFrame
    units: pd.DataFrame
    steps: pd.DataFrame


def find_figure_records(home: PublishedHome, figure: Figure) -> FigureRecords:
    """Find the records and units behind `figure`. Raises `HarmoniaError` if they do not add up to the published figure."""
    all_rows, units = _read_rows_as_reported(home, figure), _read_counted_units(home, figure)
    period = find_quarter_of_each_day if figure.kind == "quarter" else find_year_of_each_day
    rows = all_rows[period(all_rows["own_date"]) == figure.period].reset_index(drop=True)
    bridge_rows = home.query(
        "SELECT institution, record_key, cause, sign FROM bridge_records WHERE indicator = ? AND period = ? "
        "ORDER BY institution, record_key, cause",
        [figure.indicator.code, figure.period],
    )
    unit_key = "case_id" if figure.indicator.unit == "case" else "unit"
    rows, units = _add_column_with_counted_unit(rows), _add_column_with_counted_unit(units)
    rows = _add_counting_day(home, figure, rows, unit_key)
    rows = _add_causes_of_removal(rows, bridge_rows[bridge_rows["sign"] < 0])
    representing = rows[rows["cause"].isna()].drop_duplicates(unit_key).set_index(unit_key)
    added = _list_added_records(home, bridge_rows[bridge_rows["sign"] > 0], figure)
    units = _add_representing_record(units, representing, added, unit_key)
    units = _add_delivered_event_date(units, all_rows)
    _check_records_add_up_to_figure(figure, len(rows[rows["cause"].isna()]), len(units), units)
    return _select_rows_in_categories_of_figure(figure, rows, units, unit_key)


def _read_rows_as_reported(home: PublishedHome, figure: Figure) -> pd.DataFrame:
    """Read all rows of the indicator as reported, whatever their period, with the categories of the institution's own records.

    A row can count in quarters only, or in years only (`span`). It is left out if the period of the figure is of the other kind.
    """
    rows = home.read_indicator_rows(figure.indicator.code)
    rows = rows[(rows["span"] == "") | rows["span"].str.startswith(figure.kind)]
    dated = rows[rows["own_date"].notna()].drop(columns=list(DIMENSIONS)).sort_values([*KEY, "own_date", "part"], ignore_index=True)
    return dated.rename(columns={f"{dimension}_reported": dimension for dimension in DIMENSIONS})


def _add_causes_of_removal(rows: pd.DataFrame, removed: pd.DataFrame) -> pd.DataFrame:
    """Add to each row the column `cause`: why the bridge removes it; null if it represents a unit.

    removed: the steps of the bridge that remove a row of the period. Each step names the record, but not the row. A record can have
    several rows in the period, such as one for each stay in a shelter. In this case its last rows are removed, and rows of further events
    first. The row of the event that counts (`day`) is removed last.
    """
    last_rows = rows.assign(first=rows["day"].notna()).sort_values(["first", "own_date", "part"], ascending=[True, False, False])
    causes = removed.assign(other=removed["cause"] != FURTHER_EVENT).sort_values([*KEY, "other", "cause"])
    nth = causes.assign(nth=causes.groupby(KEY).cumcount())
    return rows.assign(nth=last_rows.groupby(KEY).cumcount()).merge(nth[[*KEY, "nth", "cause"]], on=[*KEY, "nth"], how="left")


def _read_counted_units(home: PublishedHome, figure: Figure) -> pd.DataFrame:
    """Read all units that count in the period of the figure, whatever their categories."""
    period = "year(day) = ?" if figure.kind == "year" else "year(day) = ? AND quarter(day) = ?"
    numbers = [int(part) for part in figure.period.replace("Q", "").split("-")]
    query = f"SELECT * FROM counted WHERE indicator = ? AND counts_in_{figure.kind} AND {period} ORDER BY day, case_id, person_id"
    return home.query(query, [figure.indicator.code, *numbers]).astype({"case_id": "str", "person_id": "str"})


def _add_counting_day(home: PublishedHome, figure: Figure, rows: pd.DataFrame, unit_key: str) -> pd.DataFrame:
    """Add to each row the day (`counted_on`) and the case (`counted_in`) with which its unit counts, even if that is in another period.

    If the unit counts several times, a day in the period of the figure is preferred, otherwise the earliest day is taken. If the unit
    does not count, day and case are those of another unit of the same person.
    """
    all_rows = home.query(
        f"SELECT case_id, person_id, day FROM counted WHERE indicator = ? AND counts_in_{figure.kind} ORDER BY day, case_id, person_id",
        [figure.indicator.code],
    )
    period = find_quarter_of_each_day if figure.kind == "quarter" else find_year_of_each_day
    all_rows = all_rows.assign(other=period(all_rows["day"].astype("datetime64[s]")) != figure.period)
    all_rows = _add_column_with_counted_unit(all_rows.sort_values(["other", "day"], kind="stable"))
    first_of_unit = all_rows.drop_duplicates(unit_key).set_index(unit_key, drop=False)
    person = all_rows.dropna(subset=["person_id"]).drop_duplicates("person_id").set_index("person_id")
    out = rows.copy()
    for name, column in (("counted_on", "day"), ("counted_in", "case_id")):
        values = pd.Series(first_of_unit[column].reindex(rows[unit_key]).to_numpy(), index=rows.index)
        out[name] = values.where(values.notna(), pd.Series(person[column].reindex(rows["person_id"]).to_numpy(), index=rows.index))
    return out


def _add_column_with_counted_unit(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the column `unit`, which identifies a case and a person together."""
    return frame.assign(unit=frame["case_id"].astype("str") + " " + frame["person_id"].astype("str").fillna(""))


def _list_added_records(home: PublishedHome, bridge_rows: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """Return the records that count in the period but were not reported in it, with their case and person.

    bridge_rows: the steps of the bridge that add a record.
    """
    entity = figure.indicator.rows.record
    ids = home.query(
        "SELECT DISTINCT institution, record_key, case_id, person_id FROM lineage WHERE entity = ? AND status = 'accepted' ORDER BY ALL",
        [entity],
    )
    added = bridge_rows.merge(ids.drop_duplicates(KEY), on=KEY, how="left")
    without_lineage = added["case_id"].isna()  # an implied case record has no row in `lineage`
    cases = home.identities["cases"].drop_duplicates(KEY).set_index(KEY)["case_id"]
    case_ids = pd.Series(cases.reindex(pd.MultiIndex.from_frame(added[KEY])).to_numpy(), index=added.index, dtype="str")
    return _add_column_with_counted_unit(
        added.assign(case_id=added["case_id"].astype("str").mask(without_lineage, case_ids), person_id=added["person_id"].astype("str"))
    )


def _add_representing_record(
    units: pd.DataFrame, representing_records: pd.DataFrame, added_records: pd.DataFrame, unit_key: str
) -> pd.DataFrame:
    """Add to each unit the record that represents it, and a cause if that record was not reported in the period.

    representing_records: the reported records that represent units, with the unit as index. added_records: from `_list_added_records`.
    unit_key: the column that identifies a unit.
    """
    other = added_records.drop_duplicates(unit_key).set_index(unit_key)
    keys = units[unit_key]
    out = units.copy()
    for column in KEY:
        values = pd.Series(representing_records[column].reindex(keys).to_numpy(), index=units.index, dtype="str")
        out[column] = values.fillna(pd.Series(other[column].reindex(keys).to_numpy(), index=units.index, dtype="str"))
    cause = pd.Series(other["cause"].reindex(keys).to_numpy(), index=units.index, dtype="str")
    return out.assign(cause=cause.where(~keys.isin(representing_records.index)))


def _add_delivered_event_date(units: pd.DataFrame, all_rows: pd.DataFrame) -> pd.DataFrame:
    """Add to each unit the delivered date of the event with which its record counts; null if that event has no readable date."""
    counting = all_rows[all_rows["day"].notna()].drop_duplicates([*KEY, "day"]).set_index([*KEY, "day"])["own_date"]
    keys = pd.MultiIndex.from_frame(units[[*KEY, "day"]].astype({"day": all_rows["day"].dtype}))
    return units.assign(own_date=counting.reindex(keys).to_numpy())


def _check_records_add_up_to_figure(figure: Figure, representing_count: int, counted_units: int, units: pd.DataFrame) -> None:
    """Raise `HarmoniaError` if the reported and the added records are not as many as the counted units."""
    added = int(units["cause"].notna().sum())
    if representing_count + added != counted_units or units["record_key"].isna().any():
        raise HarmoniaError(
            f"{figure.name}: the records do not add up to the figure ({representing_count} reported, {added} added, "
            f"{counted_units} counted): the lake and the warehouse are from different runs; run again, and report it if that does not help"
        )


def _have_categories_of_figure(rows: pd.DataFrame, figure: Figure) -> pd.Series:
    """Return for each row whether it is in the categories by which the figure is broken down."""
    matches = pd.Series(True, index=rows.index)
    for dimension, value in figure.breakdown.items():
        matches &= rows[dimension] == value
    return matches


def _describe_category_of_rows(rows: pd.DataFrame, figure: Figure) -> pd.Series:
    """Return for each row the categories in which it is, in the dimensions by which the figure is broken down, as one text."""
    heading = pd.Series("", index=rows.index, dtype="str")
    for n, dimension in enumerate(figure.breakdown):
        heading = heading + (" · " if n else "") + rows[dimension].astype("str").fillna("unknown")
    return heading


def _select_rows_in_categories_of_figure(figure: Figure, rows: pd.DataFrame, units: pd.DataFrame, unit_key: str) -> FigureRecords:
    """Select the rows and units that are in the categories of the figure.

    If a record is in these categories but the unit that it represents is not, or the reverse, this is a separate step of the difference
    (`OTHER_HEADING`).
    """
    row_in_category, unit_in_category = _have_categories_of_figure(rows, figure), _have_categories_of_figure(units, figure)
    record_names = units["institution"] + ":" + units["record_key"]
    unit_of = units.assign(
        in_category=unit_in_category, heading=_describe_category_of_rows(units, figure), record_name=record_names
    ).set_index(unit_key)
    row_of = (
        rows[rows["cause"].isna()]
        .assign(in_category=row_in_category, heading=_describe_category_of_rows(rows, figure))
        .drop_duplicates(unit_key)
        .set_index(unit_key)
    )
    reported, counted = rows[row_in_category].copy(), units[unit_in_category].copy()
    counted_here = pd.Series(unit_of["in_category"].reindex(reported[unit_key]).to_numpy(), index=reported.index)
    reported["counted_by"] = pd.Series(unit_of["record_name"].reindex(reported[unit_key]).to_numpy(), index=reported.index, dtype="str")
    other = reported["cause"].isna() & ~counted_here.fillna(False).astype(bool)
    reported["heading"] = pd.Series(unit_of["heading"].reindex(reported[unit_key]).to_numpy(), index=reported.index, dtype="str").where(
        other
    )
    reported["cause"] = reported["cause"].mask(other, OTHER_HEADING)
    reported_here = pd.Series(row_of["in_category"].reindex(counted[unit_key]).to_numpy(), index=counted.index)
    other = counted["cause"].isna() & ~reported_here.fillna(False).astype(bool)
    counted["heading"] = pd.Series(row_of["heading"].reindex(counted[unit_key]).to_numpy(), index=counted.index, dtype="str").where(other)
    counted["cause"] = counted["cause"].mask(other, OTHER_HEADING)
    bridge_rows = pd.concat([reported.assign(n=-1), counted.assign(n=1)], ignore_index=True)[["institution", "cause", "n"]].dropna(
        subset=["cause"]
    )
    steps = bridge_rows.groupby(["institution", "cause", np.sign(bridge_rows["n"]).rename("sign")])["n"].sum().reset_index()
    reported, counted = (frame.sort_values(KEY, kind="stable", ignore_index=True) for frame in (reported, counted))
    out = FigureRecords(reported, counted, steps[["institution", "cause", "n"]])
    _check_published_sum(figure, out)
    return out


def _check_published_sum(figure: Figure, records: FigureRecords) -> None:
    """Raise `HarmoniaError` if the numbers of records, steps and units differ from the published figure."""
    steps = int(records.steps["n"].sum())
    if (len(records.reported), len(records.units)) != (figure.as_reported, figure.harmonised) or len(records.reported) + steps != len(
        records.units
    ):
        raise HarmoniaError(
            f"{figure.name}: {len(records.reported)} records as reported {steps:+d} = {len(records.units)} counted, but "
            f"{figure.as_reported} and {figure.harmonised} are published: the lake and the warehouse are from different runs; run again, "
            "and report it if that does not help"
        )
