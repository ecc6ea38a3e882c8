"""From rows to units: one per case, or per person and case, and which of a person's counts in a quarter and in a year.

Belongs here: picking the day of a unit, what keeps a unit from counting, once per period, offence and form and person of a unit.
Does not belong here: which records are rows (`rows`), sums (`cube`), why the numbers differ (`bridge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from schemas.canonical import OFFENCE_GROUPS
from sources import contract
from warehouse.count.inputs import Standing, find, quarter_of, reckoned, unrank, year_of
from warehouse.count.offences import Charges, form_of, principal, stated_forms
from warehouse.count.persons import age_group, best_supported
from warehouse.indicators import Indicator

EXCLUDED = {"indicted": "indicted_elsewhere", "convicted": "convicted_elsewhere"}
UNIT_TEXT = ["indicator", "case_id", "person_id", "method", "offence_group", "form", "sex", "age_group", "citizenship_group", "excluded"]


def _keys(indicator: Indicator) -> list[str]:
    return ["case_id"] if indicator.unit == "case" else ["case_id", "person_id"]


def _day_of(indicator: Indicator, rows: pd.DataFrame) -> pd.DataFrame:
    """The row that gives each unit its day: the earliest (or latest).

    Rule: "Where the same event of the same case stands in an institution's records more than once, the earliest date counts."
    Columns out: the keys, day, method, giver (index of the row).
    """
    known = rows.dropna(subset=["day"]).assign(reckoned=lambda f: reckoned(f["day"], f["method"]))
    earliest = indicator.harmonised.day == "earliest"
    ordered = known.sort_values(["reckoned", "institution", "record_key"], ascending=[earliest, True, True])
    first = ordered.drop_duplicates(_keys(indicator))
    return first[[*_keys(indicator), "day", "method"]].assign(giver=first.index)


def _excluded(indicator: Indicator, units: pd.DataFrame, standing: Standing, convicted: pd.DataFrame | None) -> pd.Series:
    """Why a unit does not count, null where it does.

    Rules: "Dismissed: any file of the case was dismissed and no file of it led to an indictment"; acquitted "with no conviction in the
    same case".
    """
    reason = indicator.harmonised.unless
    none = pd.Series(None, index=units.index, dtype="str")
    if reason == "indicted":
        events = standing.events
        hit = units["case_id"].isin(events.loc[events["event"] == "indicted", "case_id"])
        return none.mask(hit, EXCLUDED[reason])
    if reason == "convicted" and convicted is not None:
        pairs = pd.MultiIndex.from_frame(convicted[["case_id", "person_id"]])
        return none.mask(pd.MultiIndex.from_frame(units[["case_id", "person_id"]]).isin(pairs), EXCLUDED[reason])
    return none


def _once(units: pd.DataFrame, period: pd.Series) -> pd.Series:
    """Whether a unit is the one of its person that counts in `period`.

    Rule: "Where a person has several events of an indicator in a period, the one with the most serious offence counts, then the earliest."
    """
    live = units[units["excluded"].isna()].assign(period=period)
    ordered = live.sort_values(["place", "day", "case_id"])
    first = ordered.drop_duplicates(["person_id", "period"])
    return pd.Series(units.index.isin(first.index), index=units.index)


def _counts(indicator: Indicator, units: pd.DataFrame) -> pd.DataFrame:
    """Add `excluded` for victims seen before, `counts_in_quarter`, `counts_in_year`."""
    if indicator.harmonised.once == "ever":
        live = units[units["excluded"].isna()].sort_values(["day", "place", "case_id"])
        again = live.index[live.duplicated("person_id")]
        units = units.assign(excluded=units["excluded"].mask(units.index.isin(again), "counted_before"))
    stands = units["excluded"].isna()
    if indicator.harmonised.once is None:
        return units.assign(counts_in_quarter=stands, counts_in_year=stands)
    return units.assign(
        counts_in_quarter=stands & _once(units, quarter_of(units["day"])), counts_in_year=stands & _once(units, year_of(units["day"]))
    )


@dataclass(frozen=True)
class Known:
    """What describes a unit: charges, form of the trafficking and of the case as a whole by case_id, persons."""

    charges: Charges
    of_trafficking: pd.Series
    of_case: pd.Series
    people: pd.DataFrame


def _form(indicator: Indicator, units: pd.DataFrame, group: pd.Series, rows: pd.DataFrame, known: Known) -> pd.Series:
    """The form of each unit: by its offence where police or prosecution hold the event, else the one that is stated for the case.

    Rule: "Inspectorate, courts and corrections deliver no form: harmonised, they take the case's."
    """
    keys = _keys(indicator)
    holders = rows.loc[rows["institution"].isin(contract.stating_form()), keys]
    own = pd.MultiIndex.from_frame(units[keys]).isin(pd.MultiIndex.from_frame(holders))
    by_offence = form_of(group, find(units["case_id"], known.of_trafficking))
    return find(units["case_id"], known.of_case).fillna("unknown").mask(own, by_offence)


def _at_stage(indicator: Indicator, rows: pd.DataFrame, charges: Charges) -> Charges:
    """The charges that a unit is read from: of the register of prisoners only the rows that count.

    A stay as a detainee has an article of its own, and is no charge of the sentence.
    """
    if indicator.harmonised.stage != "corrections":
        return charges
    return charges.where((charges.rows["stage"] != "corrections") | charges.rows["record_key"].isin(rows["record_key"]))


def describe(indicator: Indicator, units: pd.DataFrame, rows: pd.DataFrame, known: Known) -> pd.DataFrame:
    """Add offence (`place`, `offence_group`), form, and for persons sex, age group on the day and citizenship group."""
    keys = _keys(indicator)
    place = principal(_at_stage(indicator, rows, known.charges), units[keys], indicator.harmonised.stage)
    group = unrank(place, OFFENCE_GROUPS)
    out = units.assign(place=place, offence_group=group, form=_form(indicator, units, group, rows, known))
    if indicator.unit == "case":
        return out.assign(person_id=None, sex=None, age_group=None, citizenship_group=None)
    out = out.merge(known.people, on="person_id", how="left").set_axis(out.index)
    return out.assign(age_group=age_group(out["day"], out["birth_date"], out["birth_year"])).drop(columns=["birth_date", "birth_year"])


def known(standing: Standing, charges: pd.DataFrame) -> Known:
    """What describes units. standing: with days on its events; charges: of `offences.put_right`."""
    happened = standing.events[standing.events["event"] != "offence"].groupby("case_id")["day"].min()
    appeared = find(standing.persons["case_id"], happened).groupby(standing.persons["person_id"]).min()
    forms = (stated_forms(charges, of_trafficking=True), stated_forms(charges, of_trafficking=False))
    return Known(Charges(charges), *forms, best_supported(standing.persons, appeared.dt.year))


def count_units(rows: Mapping[str, pd.DataFrame], indicators: dict[str, Indicator], standing: Standing, described: Known) -> pd.DataFrame:
    """All harmonised units of all indicators.

    rows  indicator → frame of `rows.indicator_rows`; described: of `known`
    Columns out: indicator, case_id, person_id, day, method, giver (index in the indicator's rows), place, offence_group, form, sex,
    age_group, citizenship_group, excluded (why it does not count; null where it does), counts_in_quarter, counts_in_year.
    """
    found: dict[str, pd.DataFrame] = {}
    for code, indicator in indicators.items():
        units = describe(indicator, _day_of(indicator, rows[code]).reset_index(drop=True), rows[code], described)
        units["excluded"] = _excluded(indicator, units, standing, found.get("persons_convicted"))
        found[code] = _counts(indicator, units).assign(indicator=code)
    everything = pd.concat(found.values(), ignore_index=True)
    return everything.astype(dict.fromkeys(UNIT_TEXT, "str"))
