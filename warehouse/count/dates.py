"""On which day did it happen? Dates that cannot be right, put right from the case's other dates.

Belongs here: the order of events, finding dates that contradict it, candidates for the day that was meant. Does not belong here:
reading a date (`pipelines/harmonise`), which of several days counts (`warehouse/count/units`).

Rules (STATISTICS.md): "A date that cannot be right (after the end of the delivered quarter, or out of the order in which things
happen) counts, harmonised, on the most plausible day: day and month exchanged or one digit of the year put right, where that
gives a possible day; else the middle of the quarter in whose delivery the event first appears." "A date that contradicts only the
year in its file's number, or only the quarter in which it was first delivered, stays as delivered: registers enter cases months
and years late."
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from warehouse.count.inputs import quarter_end, quarter_middle, quarter_start

METHODS = ("delivered", "exchanged", "year", "middle")
EARLIEST = pd.Timestamp("1990-01-01")
"""No event of a living register lies before it (the oldest code of the deliveries is of 2003)."""
YEARS_BACK = 12
ROUNDS = 6
SCOPES = {
    "record": ["institution", "record_key"],
    "file": ["institution", "case_key"],
    "person": ["case_id", "person_id"],
    "case": ["case_id"],
}
OPENING = ("reported", "received_prosecution", "received_court")
"""Events that open a file: it bears a number of the year in which it was opened (SPEC.md)."""
RENUMBERED = 0.5
"""How much it adds to a broken rule (1) that the number is of a later year: files get new numbers, after a transfer."""
ACROSS = ("person", "case")
"""Scopes over several files: there a rule binds only where one event stands against one, and not for a file that was merged."""
FOR_ITS_QUARTER, AGAINST_ITS_QUARTER = 1.5, 0.5
"""How much a date in the quarter in whose delivery it first appeared is trusted, and one outside of it distrusted; a broken rule: 1."""
REPAIRABLE = {"exchanged": 0.25, "year": 0.125}
"""How much more a date is suspected that exchanging or a digit puts right."""
ENOUGH = 0.75
"""The least suspicion on which a date is held to be wrong."""
NEVER, NOWHERE, MONTHS = np.iinfo("int64").max, -2, 12


@dataclass(frozen=True)
class Order:
    """`earlier` happens no later than `later`, within one record, one file of an institution, one person in a case, or one case."""

    earlier: str
    later: str
    scope: str


ORDER: tuple[Order, ...] = (
    Order("offence", "reported", "file"),
    Order("offence", "arrested", "file"),
    Order("offence", "sent", "file"),
    Order("reported", "sent", "file"),
    Order("reported", "received_prosecution", "case"),
    Order("sent", "received_prosecution", "case"),
    *(Order("received_prosecution", d, "file") for d in ("investigation_opened", "dismissed", "indicted", "terminated", "separated")),
    Order("investigation_opened", "indicted", "file"),
    Order("received_prosecution", "received_court", "case"),
    Order("indicted", "received_court", "case"),
    Order("received_court", "judged", "file"),
    Order("received_court", "final", "file"),
    Order("judged", "final", "record"),
    Order("arrested", "detained", "person"),
)


def _steps(events: pd.DataFrame) -> pd.Series:
    """The event, and for `received` by whom: the prosecution or a court."""
    court = (events["event"] == "received") & (events["institution"] == "courts")
    prosecution = (events["event"] == "received") & (events["institution"] == "prosecution")
    return events["event"].mask(court, "received_court").mask(prosecution, "received_prosecution")


def _working(events: pd.DataFrame) -> pd.DataFrame:
    """What judging reads of the events, worked out once, on their index.

    Columns out: step, date, joined, numbered, begins; for every scope the number of the event's group (-1: none, a case's event is of no
    person); told: the quarter that its first delivery tells; last: last day of the quarter in which the date was first seen; outside:
    the date lies outside the quarter told, in another that was delivered whole; by_quarter: how the quarter of first appearance speaks
    against the date (for it inside, a little against it outside).
    """
    groups = {name: events.groupby(keys, sort=False).ngroup().fillna(-1).astype("int64") for name, keys in SCOPES.items()}
    as_they_are = {name: events[name] for name in ("date", "joined", "numbered", "begins")}
    told, inside = _told(events), _inside(events)
    outside = told.notna() & ~inside & events["covered"]
    spoken = (AGAINST_ITS_QUARTER * outside - FOR_ITS_QUARTER * (told.notna() & inside)).astype("float64")
    seen = {"told": told, "last": quarter_end(events["first_same"]), "outside": outside, "by_quarter": spoken}
    return pd.DataFrame({"step": _steps(events).astype("category"), **as_they_are, **groups, **seen})


def _told(events: pd.DataFrame) -> pd.Series:
    """The quarter in which each event happened as its first delivery tells: null where that delivery does not tell.

    Nor does it of the offence, which may be old when it is reported.
    """
    return events["first_same"].mask(events["blind"] | (events["event"] == "offence"))


def _inside(events: pd.DataFrame) -> pd.Series:
    """Whether the date lies in the quarter in whose delivery the event, or the event with this date, first appeared."""
    days = events["date"]
    quarter = [(days >= quarter_start(events[c])) & (days <= quarter_end(events[c])) for c in ("first_same", "first_period")]
    return quarter[0] | quarter[1]


@dataclass(frozen=True)
class Sides:
    """The events that an order speaks of, by their places among all: a row each.

    at: the place; earlier, later: which side it is of (neither, across files, where its file was merged); day, low, high: its day, the
    first earlier day and the first later one of its group, in seconds, `NEVER` where there is none; n, m: the earlier and later events of
    its group; told: its own date is known and not wrong.
    """

    at: np.ndarray
    earlier: np.ndarray
    later: np.ndarray
    day: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    m: np.ndarray
    told: np.ndarray


def _sides(work: pd.DataFrame) -> Iterator[tuple[Order, Sides]]:
    """Every order with the events that it speaks of."""
    step, joined = work["step"].cat.codes.to_numpy(), work["joined"].to_numpy()
    code_of = {name: code for code, name in enumerate(work["step"].cat.categories)}
    day = _seconds(work["date"])
    told = ~work["wrong"].to_numpy() & (day != NEVER)
    for order in ORDER:
        is_earlier = step == code_of.get(order.earlier, NOWHERE)
        at = np.flatnonzero(is_earlier | (step == code_of.get(order.later, NOWHERE)))
        earlier, group = is_earlier[at], work[order.scope].to_numpy()[at]
        later, good = ~earlier, told[at] & (group >= 0)
        many = int(group.max(initial=-1)) + 2  # the last, of those that are in none, stays empty
        n, m = (np.bincount(group[good & side], minlength=many)[group] for side in (earlier, later))
        if order.scope in ACROSS:
            earlier, later = earlier & ~joined[at], later & ~joined[at]
        low, high = (_first(day[at], group, good & side, many) for side in (earlier, later))
        yield order, Sides(at, earlier, later, day[at], low, high, n, m, told[at])


def _seconds(days: pd.Series) -> np.ndarray:
    """Days in seconds, `NEVER` where there is none."""
    return np.where(days.isna(), NEVER, days.to_numpy("datetime64[s]").astype("int64"))


def _first(day: np.ndarray, group: np.ndarray, chosen: np.ndarray, many: int) -> np.ndarray:
    """The first of the `chosen` days of each row's group, of so `many`."""
    first = np.full(many, NEVER)
    np.minimum.at(first, group[chosen], day[chosen])
    return np.asarray(first[group])


def _conflicts(work: pd.DataFrame) -> pd.Series:
    """How many order rules each date breaks; of such a date, that of the year in its file's number as well.

    Where several earlier events stand against one later, each carries its share. A later event is out of order when it lies before
    every earlier one: files of one case may follow each other. Over several files a rule binds where one event stands against one;
    else it counts half, and such rules count once: they have one reason.
    """
    score, loose = np.zeros(len(work)), np.zeros(len(work))
    for order, of in _sides(work):
        ordered = of.low != NEVER
        late = of.later & ordered & (of.day < of.low)
        early = (of.earlier & ordered & (of.high < of.low)) / np.maximum(of.n, 1)
        binds = order.scope not in ACROSS or (of.n == 1) & (of.m == 1) & (order.scope != "person")
        score[of.at] += np.where(binds, late + early, 0.0)
        loose[of.at] = np.maximum(loose[of.at], np.where(binds, 0.0, 0.5 * (late + early)))
    found = pd.Series(score + loose, index=work.index)
    numbered = _otherwise_numbered(work, pd.Series(score + loose > 0, index=work.index))
    return found.add(numbered).where(~work["wrong"] & work["date"].notna(), 0.0)


def _otherwise_numbered(work: pd.DataFrame, contradicted: pd.Series) -> pd.Series:
    """How the year in its file's number speaks against a date that opens the file and is `contradicted` by other dates: more against a
    later one than an earlier one, as a file may get a new number after a transfer, but not one of an earlier year."""
    off = (work["date"].dt.year - work["numbered"]).where(work["step"].isin(OPENING)).fillna(0.0)
    return (((off > 0) + RENUMBERED * (off < 0)) * contradicted).astype("float64")


def _bounds(work: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Between which days each event can lie, by the dates that are not wrong and the quarter in which it was first seen."""
    low, high = np.full(len(work), EARLIEST.value // 10**9), _seconds(work["last"])
    for _, of in _sides(work):
        later = of.later & (of.low != NEVER)
        low[of.at[later]] = np.maximum(low[of.at[later]], of.low[later])
        alone = of.earlier & (of.n <= of.told) & (high[of.at] != NEVER)
        high[of.at[alone]] = np.minimum(high[of.at[alone]], of.high[alone])
    return _within_numbered(work, _days(low, work.index), _days(high, work.index))


def _days(seconds: np.ndarray, index: pd.Index) -> pd.Series:
    """The days of `_seconds`."""
    found = seconds.astype("datetime64[s]")
    found[seconds == NEVER] = np.datetime64("NaT")
    return pd.Series(found, index=index)


def _within_numbered(work: pd.DataFrame, low: pd.Series, high: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The days between `low` and `high` that lie in the year of the file's number, for events that open a file, where there are any."""
    opens = work["step"].isin(OPENING) & (work["numbered"] >= low.dt.year).fillna(False) & (work["numbered"] <= high.dt.year).fillna(False)
    year = work["numbered"].astype("Int64").astype("str")
    begins, ends = (pd.to_datetime(year + day, format="%Y-%m-%d", errors="coerce").astype("datetime64[s]") for day in ("-01-01", "-12-31"))
    return low.mask(opens & (begins > low), begins), high.mask(opens & (ends < high), ends)


def _day(year: pd.Series, month: pd.Series, day: pd.Series) -> pd.Series:
    """The day of a year, a month and a day; null where there is no such day: 29 February of a common year, a thirteenth month."""
    years, months, days = (numbers.to_numpy("float64", na_value=np.nan) for numbers in (year, month, day))
    known = ~np.isnan(years + months + days) & (months <= MONTHS)
    of_month = np.where(known, (years - 1970) * MONTHS + months - 1, 0).astype("int64").astype("datetime64[M]")
    found = of_month.astype("datetime64[D]") + np.where(known, days - 1, 0).astype("int64")
    found[~known | (found.astype("datetime64[M]") != of_month)] = np.datetime64("NaT")
    return pd.Series(found.astype("datetime64[s]"), index=year.index)


def _one_digit_off(a: pd.Series, b: pd.Series) -> pd.Series:
    """Whether two years differ in exactly one of four digits."""
    x, y = a.astype("Int64").fillna(0).to_numpy(dtype=int), b.astype("Int64").fillna(0).to_numpy(dtype=int)
    off = sum(((x // 10**p) % 10 != (y // 10**p) % 10).astype(int) for p in range(4))
    return pd.Series(np.asarray(off) == 1, index=a.index)


def candidates(dates: pd.Series, low: pd.Series, high: pd.Series, first: pd.Series, begins: pd.Series) -> pd.DataFrame:
    """The most plausible day for dates that cannot be right.

    In: dates as delivered (all wrong), the days between which each must lie, the quarter (text) in whose delivery each first
    appeared (null where that delivery does not tell when), the first day of the institution's first delivery. Out: `day` (null
    where nothing gives a possible day), `method` (exchanged, year). A delivery holds what happened in its quarter: where it tells, a
    possible day lies in it, else before the first delivery. Exchanging day and month goes before changing the year, a near year
    before a far one.
    """
    given = dates.dt
    swapped = _day(given.year, given.day, given.month)
    tries = [("exchanged", swapped.mask(swapped == dates))]
    for back in range(YEARS_BACK + 1):
        year = high.dt.year - back
        tries.append(("year", _day(year, given.month, given.day).where(_one_digit_off(year, given.year))))
    start, end = quarter_start(first), quarter_end(first)
    day = pd.Series(pd.NaT, index=dates.index).astype("datetime64[s]")
    method = pd.Series(None, index=dates.index, dtype="str")
    for in_quarter in (True, False):
        for name, proposed in tries:
            fits = first.isna() | ((proposed >= start) & (proposed <= end)) if in_quarter else proposed < begins
            possible = (proposed >= low) & (proposed <= high) & fits & day.isna()
            day, method = day.mask(possible, proposed), method.mask(possible, name)
    return pd.DataFrame({"day": day, "method": method})


def _repair(flagged: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """`candidates` for flagged events, between the days that the other events of their cases (`rows`) leave."""
    low, high = _bounds(rows)
    return candidates(flagged["date"], low[flagged.index], high[flagged.index], flagged["told"], flagged["begins"])


def _of_the_same_cases(work: pd.DataFrame, some: pd.DataFrame) -> pd.DataFrame:
    """The events of every case that has one of `some`."""
    return work[work["case"].isin(some["case"])]


def _accuse(work: pd.DataFrame) -> pd.Series:
    """Of the dates that contradict each other in a case, the one most likely wrong (boolean, at most one a case).

    A date that breaks more rules is more likely wrong, one in its own quarter less, one that exchanging or a digit puts right more.
    """
    conflicts = _conflicts(work)
    none = pd.Series(False, index=work.index)
    suspicion = conflicts + work["by_quarter"]
    flagged = work[(conflicts > 0) & (suspicion >= ENOUGH - max(REPAIRABLE.values()))]
    if flagged.empty:
        return none
    repair = _repair(flagged, _of_the_same_cases(work, flagged))
    score = suspicion[flagged.index] + repair["method"].map(REPAIRABLE).fillna(0.0).astype("float64")
    flagged, score = flagged[score >= ENOUGH], score[score >= ENOUGH]
    ranked = flagged.assign(score=score, place=range(len(flagged))).sort_values(["score", "place"], ascending=[False, False])
    return none.mask(none.index.isin(ranked.drop_duplicates("case").index), True)


def _doubt(work: pd.DataFrame) -> pd.Series:
    """Which dates cannot be right: after the end of the quarter in which they were seen, too old, or out of order."""
    after = work["date"] > work["last"]
    work = work.assign(wrong=(after | (work["date"] < EARLIEST)).fillna(False))
    wrong, contested = work["wrong"], work
    for _ in range(ROUNDS):
        accused = _accuse(contested.assign(wrong=wrong[contested.index]))
        if not accused.any():
            break
        wrong = wrong | accused.reindex(wrong.index, fill_value=False)
        contested = _of_the_same_cases(contested, contested[accused])
    return wrong


def plausible(events: pd.DataFrame) -> pd.DataFrame:
    """Give each event the day on which it counts.

    In: events of `Standing.events`. Added: `day`, `method` (delivered; exchanged, year: put right; middle: of the quarter of first
    appearance, also where no date is known). An offence without a usable date stays without a day: nothing is counted by it.
    """
    events = events.reset_index(drop=True)
    work = _working(events)
    wrong = _doubt(work)
    day, method = work["date"].mask(wrong), pd.Series("delivered", index=work.index, dtype="str").mask(wrong)
    if wrong.any():
        work = work.assign(wrong=wrong)
        repaired = _repair(work[wrong], _of_the_same_cases(work, work[wrong]))
        day.loc[wrong], method.loc[wrong] = repaired["day"], repaired["method"]
    lost = day.isna() & (work["step"] != "offence")
    day = day.mask(lost, quarter_middle(events["first_period"])).astype("datetime64[s]")
    return events.assign(day=day, method=method.mask(lost, "middle"))
