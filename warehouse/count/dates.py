"""On which day did it happen? Dates that cannot be right, put right from the case's other dates.

Belongs here: the order of events, finding dates that contradict it, candidates for the day that was meant. Does not belong here:
reading a date (`pipelines/harmonise`), which of several days counts (`warehouse/count/units`).

Rule (STATISTICS.md): "A date that cannot be right (after the end of the delivered quarter, or out of the order in which things
happen) counts, harmonised, on the most plausible day: day and month exchanged or one digit of the year put right, where that
gives a possible day; else the middle of the quarter in whose delivery the event first appears."
"""

from __future__ import annotations

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


def _sides(work: pd.DataFrame, order: Order) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """The events that `order` speaks of, and masks of the earlier and the later ones among them.

    Columns added, of the event's group in the scope: low (first earlier day), n (earlier events), high (first later), m (later events).
    """
    rows = work[work["step"].isin([order.earlier, order.later])]
    is_earlier, is_later = rows["step"] == order.earlier, rows["step"] == order.later
    group, good = rows[order.scope].to_numpy(), ~rows["wrong"] & rows["date"].notna() & (rows[order.scope] >= 0)
    many = int(group.max(initial=-1)) + 2  # the last, of those that are in none, stays empty
    n, m = (np.bincount(group[good & side], minlength=many)[group] for side in (is_earlier, is_later))
    if order.scope in ACROSS:
        is_earlier, is_later = is_earlier & ~rows["joined"], is_later & ~rows["joined"]
    low, high = (_first(rows["date"], group, good & side, many) for side in (is_earlier, is_later))
    return rows.assign(low=low, n=n, high=high, m=m), is_earlier, is_later


def _first(days: pd.Series, group: np.ndarray, chosen: pd.Series, many: int) -> np.ndarray:
    """The first of the `chosen` days of each row's group, of so `many`; none where it has none."""
    first = np.full(many, np.iinfo("int64").max)
    np.minimum.at(first, group[chosen], days.to_numpy("datetime64[s]")[chosen].astype("int64"))
    found = first.astype("datetime64[s]")
    found[first == np.iinfo("int64").max] = np.datetime64("NaT")
    return found[group]


def _conflicts(work: pd.DataFrame) -> pd.Series:
    """How many order rules each date breaks, that of the year in its file's number being one.

    Where several earlier events stand against one later, each carries its share. A later event is out of order when it lies before
    every earlier one: files of one case may follow each other. Over several files a rule binds where one event stands against one;
    else it counts half, and such rules count once: they have one reason.
    """
    score, loose = pd.Series(0.0, index=work.index), pd.Series(0.0, index=work.index)
    for order in ORDER:
        rows, is_earlier, is_later = _sides(work, order)
        late = ((rows["date"] < rows["low"]) & is_later).astype(float)
        early = ((rows["high"] < rows["low"]) & is_earlier) / rows["n"].clip(lower=1)
        binds = (rows["n"] == 1) & (rows["m"] == 1) & (order.scope != "person") | (order.scope not in ACROSS)
        score.loc[rows.index] += (late + early).where(binds, 0.0)
        loose.loc[rows.index] = loose.loc[rows.index].clip(lower=(0.5 * (late + early)).where(~binds, 0.0))
    score = score.add(loose)
    return score.add(_otherwise_numbered(work, score > 0)).where(~work["wrong"] & work["date"].notna(), 0.0)


def _otherwise_numbered(work: pd.DataFrame, contradicted: pd.Series) -> pd.Series:
    """How the year in its file's number speaks against a date that opens the file: against a later one, and an earlier one that is
    `contradicted` already; a file may get a new number after a transfer, but not one of an earlier year."""
    off = (work["date"].dt.year - work["numbered"]).where(work["step"].isin(OPENING)).fillna(0.0)
    return ((off > 0) + RENUMBERED * ((off < 0) & contradicted)).astype("float64")


def _bounds(work: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Between which days each event can lie, by the dates that are not wrong and the quarter in which it was first seen."""
    low = pd.Series(EARLIEST, index=work.index).astype("datetime64[s]")
    high = work["last"].copy()
    for order in ORDER:
        rows, is_earlier, is_later = _sides(work, order)
        later = rows.loc[is_later & (rows["low"] > low[rows.index]), "low"]
        low.loc[later.index] = later
        alone = is_earlier & (rows["n"] - (~rows["wrong"] & rows["date"].notna()).astype(float) <= 0)
        earlier = rows.loc[alone & (rows["high"] < high[rows.index]), "high"]
        high.loc[earlier.index] = earlier
    return _within_numbered(work, low, high)


def _within_numbered(work: pd.DataFrame, low: pd.Series, high: pd.Series) -> tuple[pd.Series, pd.Series]:
    """The days between `low` and `high` that lie in the year of the file's number, for events that open a file, where there are any."""
    opens = work["step"].isin(OPENING) & (work["numbered"] >= low.dt.year).fillna(False) & (work["numbered"] <= high.dt.year).fillna(False)
    year = work["numbered"].astype("Int64").astype("str")
    begins, ends = (pd.to_datetime(year + day, format="%Y-%m-%d", errors="coerce").astype("datetime64[s]") for day in ("-01-01", "-12-31"))
    return low.mask(opens & (begins > low), begins), high.mask(opens & (ends < high), ends)


def _with_year(days: pd.Series, years: pd.Series) -> pd.Series:
    """The same day in another year; null for 29 February of a common year."""
    text = years.astype("Int64").astype("str") + days.dt.strftime("-%m-%d")
    return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[s]")


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
    swapped = pd.to_datetime(dates.dt.strftime("%Y-%d-%m"), format="%Y-%m-%d", errors="coerce").astype("datetime64[s]")
    tries = [("exchanged", swapped.mask(swapped == dates))]
    for back in range(YEARS_BACK + 1):
        year = high.dt.year - back
        tries.append(("year", _with_year(dates, year).where(_one_digit_off(year, dates.dt.year))))
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


def _misplaced(work: pd.DataFrame) -> pd.Series:
    """Dates outside the quarter in which the event was delivered that exchanging or a digit of the year moves into it.

    "A delivery holds every case that was opened or changed in the quarter" (SPEC.md): what happened earlier would have come earlier.
    """
    outside = work[work["outside"] & ~work["wrong"]]
    none = pd.Series(False, index=work.index)
    if outside.empty:
        return none
    rows = _of_the_same_cases(work, outside)
    rows = rows.assign(wrong=rows["wrong"] | rows.index.isin(outside.index))
    repair = _repair(outside.assign(begins=EARLIEST), rows)  # into that quarter, nowhere else
    return none.mask(none.index.isin(repair.index[repair["day"].notna()]), True)


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
    """Which dates cannot be right: after the end of the quarter in which they were seen, too old, misplaced, or out of order."""
    after = work["date"] > work["last"]
    work = work.assign(wrong=(after | (work["date"] < EARLIEST)).fillna(False))
    wrong, contested = work["wrong"] | _misplaced(work), work
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
