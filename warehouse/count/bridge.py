"""How `as_reported` becomes `harmonised`: each difference with its cause and the record behind it.

Belongs here: walking from rows to units, record by record, so that the steps add up by construction. Does not belong here: what
counts (`rows`, `units`). What a cause means is in `causes.yaml`.

In a period, every row as reported either stands for a unit that counts there, or is taken away with a cause; every unit without
such a row is added with a cause. So as_reported + Σ n = harmonised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.errors import HarmoniaError
from sources import contract
from warehouse.count.inputs import FILE, Standing, quarter_of, year_of
from warehouse.indicators import DIMENSIONS

RECORDS = ["indicator", "period", "institution", "cause", "record_key", "sign", "case_id"]
PUT_RIGHT = ("exchanged", "year", "middle")


@dataclass(frozen=True)
class Marked:
    """Files (institution, case_key) that were merged into another, and files with a party separated."""

    merged: pd.MultiIndex
    separated: pd.MultiIndex


def marked(standing: Standing) -> Marked:
    """The files behind the causes `merged` and `separated`."""
    cases, events = standing.cases, standing.events
    merged = cases[(cases["state"] == "merged") | cases["merged_into"].notna()]
    separated = events[events["event"] == "separated"]
    return Marked(pd.MultiIndex.from_frame(merged[FILE]), pd.MultiIndex.from_frame(separated[FILE]))


def relation(files: Marked, one: pd.DataFrame, other: pd.DataFrame) -> pd.Series:
    """Why two records, row by row of two frames (institution, case_key), count as one: a cause for each pair.

    Same file: `same_person`; another institution: `other_institution`; corrections: `transferred`; else two files of one institution:
    `merged`, `separated` or `registered_twice`.
    """
    a, b = pd.MultiIndex.from_frame(one[FILE]), pd.MultiIndex.from_frame(other[FILE])
    institution, others = one["institution"].to_numpy(), other["institution"].to_numpy()
    conditions = [
        institution != others,
        one["case_key"].to_numpy() == other["case_key"].to_numpy(),
        np.isin(institution, contract.at("corrections")),
        a.isin(files.merged) | b.isin(files.merged),
        a.isin(files.separated) | b.isin(files.separated),
    ]
    causes = ["other_institution", "same_person", "transferred", "merged", "separated"]
    return pd.Series(np.select(conditions, causes, default="registered_twice"), index=one.index, dtype="str")


def _giver(rows: pd.DataFrame) -> pd.DataFrame:
    """The file that gave each row its harmonised day, named as a file."""
    return rows[["giver_institution", "giver_case_key"]].set_axis(FILE, axis=1)


def _moved(files: Marked, rows: pd.DataFrame, giver: pd.DataFrame) -> pd.Series:
    """Why a unit does not count in the period that the row's own date names (or counts where no row of it stands).

    rows   with own_date, own_day, own_method; giver: the file that gives the unit its day
    """
    no_record = rows["own_date"].isna() & rows["own_day"].isna()
    unread = rows["own_date"].isna()
    corrected = (rows["own_day"] != rows["own_date"]) & rows["own_method"].isin(PUT_RIGHT)
    same_file = (rows["institution"] == giver["institution"].to_numpy()) & (rows["case_key"] == giver["case_key"].to_numpy())
    cause = relation(files, rows, giver).mask(same_file, "later_judgment")
    return cause.mask(corrected, "date_corrected").mask(unread, "missing_date_found").mask(no_record, "quarantined_record")


def _paired(rows: pd.DataFrame, units: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Rows with their unit: `unit` (index, NaN where the row belongs to none), its period, whether it counts there, why not, its giver.

    rows and units of all indicators; `giver` of units is an index of `rows`; kind: quarter or year
    """
    keys, period = ["indicator", "case_id", "person_id"], quarter_of if kind == "quarter" else year_of
    named = units.assign(unit=units.index, unit_period=period(units["day"]), counts=units[f"counts_in_{kind}"])
    out = rows.merge(named[[*keys, "unit", "unit_period", "counts", "excluded", "giver"]], on=keys, how="left").set_axis(rows.index)
    giver = rows.loc[out["giver"].fillna(rows.index[0]).astype(int).to_numpy()] if len(rows) else rows
    out["unit_giver_institution"], out["unit_giver_case_key"] = giver["giver_institution"].to_numpy(), giver["giver_case_key"].to_numpy()
    return out.assign(row_period=period(out["own_date"]), is_giver=out["giver"] == out.index)


def _standing_for(paired: pd.DataFrame) -> pd.Series:
    """The row that stands for each counted unit in the unit's own period: the one that gives the day, else the first by key."""
    here = paired[(paired["row_period"] == paired["unit_period"]) & paired["counts"].fillna(False).astype(bool)]
    first = here.sort_values(["is_giver", "institution", "record_key"], ascending=[False, True, True]).drop_duplicates("unit")
    return pd.Series(first.index.to_numpy(), index=first["unit"].to_numpy())


def _taken_away(files: Marked, paired: pd.DataFrame, stands: pd.Series) -> pd.DataFrame:
    """Rows as reported that stand for no unit in their period, with the cause."""
    rows = paired[paired["own_date"].notna() & ~paired.index.isin(stands.to_numpy())]
    unit_giver = rows[["unit_giver_institution", "unit_giver_case_key"]].set_axis(FILE, axis=1)
    elsewhere = _moved(files, rows, unit_giver)
    represented = rows["unit"].map(stands)
    other = paired.loc[represented.fillna(paired.index[0]).astype(int).to_numpy(), FILE].set_axis(rows.index) if len(rows) else rows[FILE]
    again = relation(files, rows, other)
    corrected = rows["own_method"].isin(PUT_RIGHT) & (rows["own_day"] != rows["own_date"])
    conditions = [
        rows["unit"].isna() | rows["day"].isna(),
        rows["excluded"].notna(),
        rows["unit_period"] != rows["row_period"],
        ~rows["counts"].fillna(False).astype(bool),
    ]
    unknown = (rows["entity"] == "person") & rows["person_id"].isna()
    nowhere = np.select([unknown, corrected], ["unknown_person", "date_corrected"], "later_judgment")
    same_person = np.full(len(rows), "same_person")
    choices = [nowhere, rows["excluded"].fillna("").to_numpy(dtype=str), elsewhere.to_numpy(dtype=str), same_person]
    cause = pd.Series(np.select(conditions, choices, default=again.to_numpy(dtype=str)), index=rows.index, dtype="str")
    return rows.assign(cause=cause, sign=-1, period=rows["row_period"])


def _added(files: Marked, paired: pd.DataFrame, stands: pd.Series) -> pd.DataFrame:
    """Units that count in a period in which no row of theirs stands: the row that gives the day, with the cause."""
    rows = paired[paired["is_giver"] & paired["counts"].fillna(False).astype(bool) & ~paired["unit"].isin(stands.index)]
    return rows.assign(cause=_moved(files, rows, _giver(rows)), sign=1, period=rows["unit_period"])


def bridge_records(rows: Mapping[str, pd.DataFrame], units: pd.DataFrame, standing: Standing) -> pd.DataFrame:
    """The record behind every step of every bridge, for quarters and years.

    rows   indicator → frame of `rows.indicator_rows`; units: of `units.count_units`
    Columns out: `RECORDS`.
    """
    together = pd.concat(rows.values(), ignore_index=True)
    sizes = pd.Series({code: len(frame) for code, frame in rows.items()})
    starts = (sizes.cumsum() - sizes).to_dict()
    units = units.assign(giver=units["giver"] + units["indicator"].map(starts).astype("int64"))
    files, parts = marked(standing), []
    for kind in ("quarter", "year"):
        paired = _paired(together, units, kind)
        stands = _standing_for(paired)
        parts += [_taken_away(files, paired, stands)[RECORDS], _added(files, paired, stands)[RECORDS]]
    return pd.concat(parts, ignore_index=True).astype({"cause": "str", "sign": "int64"})


def bridge(records: pd.DataFrame, statistics: pd.DataFrame) -> pd.DataFrame:
    """The `bridge` table of the published periods: indicator, period, institution, cause, n; asserted against the totals.

    Raises `HarmoniaError` naming the figure where as_reported + Σ n is not harmonised: that is a mistake of this program.
    """
    totals = statistics[(statistics[list(DIMENSIONS)] == "total").all(axis=1)].dropna(subset=["as_reported"])
    known = records.merge(totals[["indicator", "period"]], on=["indicator", "period"])
    out = known.groupby(["indicator", "period", "institution", "cause"])["sign"].sum().rename("n").reset_index()
    out = out[out["n"] != 0].reset_index(drop=True)
    steps = out.groupby(["indicator", "period"])["n"].sum().rename("steps").reset_index()
    check = totals.merge(steps, on=["indicator", "period"], how="left")
    wrong = check[check["as_reported"] + check["steps"].fillna(0).astype("Int64") != check["harmonised"]]
    if len(wrong):
        first = wrong.iloc[0]
        raise HarmoniaError(
            f"the bridge of {first['indicator']} {first['period']} does not add up ({len(wrong)} figures): this is a mistake of the "
            "program, nothing was published; report it with the deliveries that led to it"
        )
    return out
