"""What counting starts from. Belongs here: the shape of the inputs, periods, ids of records, what stands. No counting rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

KEY = ["institution", "record_key"]
FILE = ["institution", "case_key"]
NAMES = (
    *("given_name", "surname", "full_name", "parent_name", "name_tokens", "given_skeleton", "surname_skeleton", "parent_skeleton"),
    *("personal_number", "number_valid", "birthplace"),
)
"""Columns of person records that counting has no use for."""
YEAR_IN_NUMBER = r"(?:^|/)((?:19|20)\d\d)(?:-|$)"


@dataclass(frozen=True)
class CountInputs:
    """Everything that counting reads.

    canonical    canonical tables (schemas.canonical.TABLES) of all states, with `status`
    cases        institution, record_key, case_id: of case records; a person record finds its case by `case_key`
    persons      institution, record_key, person_id: of person records
    deliveries   institution, delivery, period, version, state (complete, partial, unreadable); missing ones are absent
    lineage      institution, entity, record_key, delivery, file, part, line, status
    quarantined  institution, delivery, rows
    findings     columns of schemas.findings, and `state` (pipelines.feedback.life)
    units        institution, part, record_key, unit (station, seat, facility) of records that have one; None: not known
    numbers      institution, number of all files, where `canonical` holds some cases alone
    habits       how all sources enter dates (`date_habits.Habits`), likewise
    listed       institution, delivery, record_key, person_id: states of records at whose place another person stands, or stood; None: none
    """

    canonical: Mapping[str, pd.DataFrame]
    cases: pd.DataFrame
    persons: pd.DataFrame
    deliveries: pd.DataFrame
    lineage: pd.DataFrame
    quarantined: pd.DataFrame
    findings: pd.DataFrame
    units: pd.DataFrame | None = None
    numbers: pd.DataFrame | None = None
    habits: pd.DataFrame | None = None
    listed: pd.DataFrame | None = None


@dataclass(frozen=True)
class Standing:
    """Accepted records with their ids, and every state that is evidence of when something first appeared.

    cases    accepted case_records + case_id
    persons  accepted person_records + case_id, person_id
    charges  accepted charges + case_id, person_id
    events   accepted events that took place + case_id, person_id, first_period, first_same, blind, covered, begins, joined, numbered
    states   institution, record_key, case_key, role, period, delivery of person states that were not quarantined or withdrawn
    references  of accepted and superseded states ("a reference that a later state no longer holds still links"), accepted last
    """

    cases: pd.DataFrame
    persons: pd.DataFrame
    charges: pd.DataFrame
    events: pd.DataFrame
    states: pd.DataFrame
    references: pd.DataFrame


def _named(numbers: pd.Series, name: Callable[[int], str]) -> pd.Series:
    """The `name` of each number as text; null where there is none. There are few numbers, however many the rows."""
    code, found = pd.factorize(numbers)
    names = pd.array([name(int(number)) for number in found], dtype="str")
    return pd.Series(names.take(code, allow_fill=True), index=numbers.index)


def quarter_of(days: pd.Series) -> pd.Series:
    """Quarter of each day as text, `2013-Q2`; null where the day is."""
    return _named(days.dt.year * 4 + days.dt.quarter - 1, lambda n: f"{n // 4}-Q{n % 4 + 1}")


def year_of(days: pd.Series) -> pd.Series:
    """Year of each day as text; null where the day is."""
    return _named(days.dt.year, str)


def quarter_index(periods: pd.Series) -> pd.Series:
    """Running number of each quarter (`2013-Q2` → 2013 * 4 + 1); null where the period is."""
    parts = periods.astype("str").str.extract(r"^(\d{4})-Q([1-4])$")
    return parts[0].astype("Float64") * 4 + parts[1].astype("Float64") - 1


def quarter_start(periods: pd.Series) -> pd.Series:
    """First day of each quarter."""
    return _each_quarter(periods, lambda months: months)


def quarter_end(periods: pd.Series) -> pd.Series:
    """Last day of each quarter."""
    return _each_quarter(periods, lambda months: (months + 3).astype("datetime64[D]") - 1)


def _each_quarter(periods: pd.Series, day: Callable[[np.ndarray], np.ndarray]) -> pd.Series:
    """A day of each quarter, out of their first months; null where the period is no quarter."""
    code, names = pd.factorize(periods.astype("str"))
    months = np.array([_first_month(str(name)) for name in [*names, ""]])  # -1, the code of a null, takes the last
    return pd.Series(day(months).astype("datetime64[s]")[code], index=periods.index)


@cache
def _first_month(quarter: str) -> np.datetime64:
    found = re.fullmatch(r"(\d{4})-Q([1-4])", quarter)
    return np.datetime64(f"{found[1]}-{3 * int(found[2]) - 2:02}" if found else "NaT", "M")


def quarter_middle(periods: pd.Series) -> pd.Series:
    """The day in the middle of each quarter: where an event counts whose day nobody knows."""
    start = quarter_start(periods)
    return (start + (quarter_end(periods) - start) // 2).dt.normalize()


def reckoned(days: pd.Series, methods: pd.Series) -> pd.Series:
    """Days by which events are put in order: one in the middle of a quarter counts as its last day.

    So an estimate goes before a day that is known only where the whole quarter does.
    """
    return days.mask(methods == "middle", quarter_end(quarter_of(days)))


def _lookup(frame: pd.DataFrame, ids: pd.DataFrame, by: str, column: str) -> pd.Series:
    """`column` of `ids` (keyed by institution, record_key) for each row of `frame`, found by institution and `by`."""
    unique = ids.drop_duplicates(KEY, keep="last").set_index(KEY)[column]
    return pd.Series(unique.reindex(pd.MultiIndex.from_frame(frame[["institution", by]])).to_numpy(), index=frame.index, dtype="str")


def _own_id(frame: pd.DataFrame, found: pd.Series, by: str) -> pd.Series:
    """A record that linkage did not name stands for itself: an id of its own by its order among such keys, never its key."""
    lost = found.isna()
    if not lost.any():
        return found
    codes, _ = pd.factorize(pd.MultiIndex.from_frame(frame.loc[lost, ["institution", by]]), sort=True)
    return found.mask(lost, pd.Series("unlinked-" + pd.Series(codes).astype("str").to_numpy(), index=frame.index[lost]))


def case_ids(frame: pd.DataFrame, cases: pd.DataFrame) -> pd.Series:
    """The case of each row: by `case_key`, else by `record_key`; null where linkage knows neither."""
    return _lookup(frame, cases, "case_key", "case_id").fillna(_lookup(frame, cases, "record_key", "case_id"))


def blind_periods(deliveries: pd.DataFrame) -> pd.DataFrame:
    """Institution and quarter whose delivery does not tell when a thing happened: the one before it is missing or not complete.

    Columns out: institution, period. The first delivery of an institution is blind: it shows cases of earlier years.
    """
    read = deliveries[deliveries["state"] != "unreadable"].drop_duplicates(["institution", "period"])
    whole = deliveries[deliveries["state"] == "complete"].drop_duplicates(["institution", "period"])
    before = whole[["institution"]].assign(number=quarter_index(whole["period"]) + 1)
    here = read[["institution", "period"]].assign(number=quarter_index(read["period"]))
    merged = here.merge(before.assign(known=True), on=["institution", "number"], how="left")
    return merged.loc[merged["known"].isna(), ["institution", "period"]]


def _first(events: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
    return events.groupby(keys, dropna=False, sort=False)["period"].min().rename(name).reset_index()


def _covered(events: pd.DataFrame, deliveries: pd.DataFrame) -> pd.Series:
    """Whether the institution delivered the quarter of each date whole: what it did not deliver is seen later, when it changes."""
    whole = pd.MultiIndex.from_frame(deliveries.loc[deliveries["state"] == "complete", ["institution", "period"]])
    quarters = pd.DataFrame({"institution": events["institution"], "period": quarter_of(events["date"])})
    return pd.Series(pd.MultiIndex.from_frame(quarters).isin(whole), index=events.index)


def accepted_events(canonical: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame) -> pd.DataFrame:
    """Accepted events that took place, with the quarter in whose delivery each first appeared.

    Columns added: `first_period` (first delivery that held this event of the record, whatever its date; of several the first, the
    second …), `first_same` (first that held it with this very date: the day cannot be after the end of that quarter), `blind` (that
    delivery does not tell), `covered` (the quarter of the date was delivered whole), `begins` (first day of the institution's first
    delivery), `joined` (the file was merged into another), `numbered` (the year in the file's own number).
    """
    table = canonical["events"]
    held = table[(table["present"].fillna(False) | table["date"].notna()) & ~table["status"].isin(["quarantined"])]
    what = ["institution", "entity", "record_key", "event", "outcome"]
    held = held.assign(nth=held.groupby([*what, "delivery"], dropna=False).cumcount())
    out = held[held["status"] == "accepted"].reset_index(drop=True)
    out = out.merge(_first(held, [*what, "nth"], "first_period"), on=[*what, "nth"], how="left").drop(columns="nth")
    out = out.merge(_first(held, [*what, "date"], "first_same"), on=[*what, "date"], how="left")
    blind = blind_periods(deliveries).rename(columns={"period": "first_same"}).assign(blind=True)
    out = out.merge(blind, on=["institution", "first_same"], how="left")
    read = deliveries[deliveries["state"] != "unreadable"]
    begins = quarter_start(read.groupby("institution")["period"].min())
    known = _accepted(canonical["case_records"])
    files = known[(known["state"] == "merged") | known["merged_into"].notna()]
    joined = pd.MultiIndex.from_frame(out[FILE]).isin(pd.MultiIndex.from_frame(files[FILE]))
    return out.assign(
        blind=out["blind"].astype("boolean").fillna(False).astype(bool),
        covered=_covered(out, deliveries),
        begins=find(out["institution"], begins),
        joined=joined,
        numbered=_numbered(out, known),
    )


def _numbered(events: pd.DataFrame, files: pd.DataFrame) -> pd.Series:
    """The year in the own number of each event's file (`2013-PR-00034`, `PP.I.nr.34/2013`), null where it has none."""
    years = files.assign(year=files["number"].str.extract(YEAR_IN_NUMBER)[0].astype("Float64")).drop_duplicates(FILE, keep="last")
    found = years.set_index(FILE)["year"].reindex(pd.MultiIndex.from_frame(events[FILE]))
    return pd.Series(found.array, index=events.index)


def natural(persons: pd.DataFrame) -> pd.Series:
    """Which person records are of natural persons: neither legal nor unknown ones."""
    return ~persons["kind"].isin(["legal", "unknown"])


def _accepted(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["status"] == "accepted"].reset_index(drop=True)


def standing(inputs: CountInputs) -> Standing:
    """Accepted records with case and person ids; a record that linkage does not name stands for itself, but for one that is no natural
    person: it has no person id."""
    everything = inputs.canonical["person_records"]
    everything = everything.drop(columns=[name for name in NAMES if name in everything])
    persons = _accepted(everything)
    cases = _accepted(inputs.canonical["case_records"])
    charges, events = _accepted(inputs.canonical["charges"]), accepted_events(inputs.canonical, inputs.deliveries)
    known = pd.concat([f[["institution", "case_key", "record_key"]] for f in (cases, persons, charges, events)], ignore_index=True)
    known["case_id"] = _own_id(known, case_ids(known, inputs.cases), "case_key")
    by_file = known.drop_duplicates(FILE).set_index(FILE)["case_id"]
    people = persons[natural(persons)][KEY].drop_duplicates().reset_index(drop=True)
    people["person_id"] = _own_id(people, _lookup(people, inputs.persons, "record_key", "person_id"), "record_key")

    def identified(frame: pd.DataFrame, *, person: bool) -> pd.DataFrame:
        index = pd.MultiIndex.from_frame(frame[FILE])
        out = frame.assign(case_id=pd.Series(by_file.reindex(index).to_numpy(), index=frame.index, dtype="str"))
        return out.assign(person_id=_lookup(out, people, "record_key", "person_id")) if person else out

    stood = everything[everything["status"].isin(["accepted", "superseded"])]
    events = identified(events, person=True)
    cited = inputs.canonical["references"]
    cited = cited[cited["status"].isin(["accepted", "superseded"])].sort_values("status", ascending=False, kind="stable")
    return Standing(
        cases=identified(cases, person=False),
        persons=identified(persons, person=True),
        charges=identified(charges, person=True),
        events=events.assign(person_id=events["person_id"].where(events["entity"] == "person")),
        states=stood[["institution", "record_key", "case_key", "role", "period", "delivery"]].reset_index(drop=True),
        references=cited.reset_index(drop=True),
    )


def find(keys: pd.Series, values: pd.Series) -> pd.Series:
    """The entry of `values` (unique index) for each key, null where there is none; unlike `map` it keeps the type of an empty `values`."""
    return pd.Series(values.reindex(keys.to_numpy()).array, index=keys.index)


def rank(values: pd.Series, order: tuple[str, ...]) -> pd.Series:
    """Place of each value in `order` as float; NaN for a value that is not in it."""
    return values.map({value: float(place) for place, value in enumerate(order)}).astype("float64")


def unrank(places: pd.Series, order: tuple[str, ...]) -> pd.Series:
    """The value at each place of `order`; null for NaN."""
    names = np.array([*order, None], dtype=object)
    return pd.Series(names[places.fillna(len(order)).astype(int).to_numpy()], index=places.index, dtype="str")
