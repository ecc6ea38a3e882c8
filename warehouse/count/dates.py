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


def _sides(work: pd.DataFrame, order: Order) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Masks of the earlier and later events of `order`, and per group of its scope `low` (first earlier), `high` (first later), how many.

    Columns of the groups, on the index of `work`: low, n (earlier events), high, m (later events).
    """
    keys = SCOPES[order.scope]
    good = ~work["wrong"] & work["date"].notna()
    is_earlier, is_later = work["step"] == order.earlier, work["step"] == order.later
    n, m = (work[good & side].groupby(keys).size() for side in (is_earlier, is_later))
    if order.scope in ACROSS:
        is_earlier, is_later = is_earlier & ~work["joined"], is_later & ~work["joined"]
    low, high = (work[good & side].groupby(keys)["date"].min() for side in (is_earlier, is_later))
    both = pd.concat({"low": low, "n": n, "high": high, "m": m}, axis=1)
    index = pd.MultiIndex.from_frame(work[keys]) if len(keys) > 1 else pd.Index(work[keys[0]])
    return is_earlier, is_later, both.reindex(index).set_index(work.index)


def _conflicts(work: pd.DataFrame) -> pd.Series:
    """How many order rules each date breaks, that of the year in its file's number being one.

    Where several earlier events stand against one later, each carries its share. A later event is out of order when it lies before
    every earlier one: files of one case may follow each other. Over several files a rule binds where one event stands against one;
    else it counts half, and such rules count once: they have one reason.
    """
    score, loose = pd.Series(0.0, index=work.index), pd.Series(0.0, index=work.index)
    for order in ORDER:
        is_earlier, is_later, group = _sides(work, order)
        late = ((work["date"] < group["low"]) & is_later).astype(float)
        early = ((group["high"] < group["low"]) & is_earlier) / group["n"].fillna(1.0).clip(lower=1.0)
        binds = (group["n"] == 1) & (group["m"] == 1) & (order.scope != "person") | (order.scope not in ACROSS)
        score = score.add((late + early).where(binds, 0.0))
        loose = loose.clip(lower=(0.5 * (late + early)).where(~binds, 0.0))
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
    high = quarter_end(work["first_same"])
    for order in ORDER:
        is_earlier, is_later, group = _sides(work, order)
        low = low.mask(is_later & (group["low"] > low), group["low"])
        alone = is_earlier & (group["n"].fillna(0.0) - (~work["wrong"] & work["date"].notna()).astype(float) <= 0)
        high = high.mask(alone & (group["high"] < high), group["high"])
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


def _told(work: pd.DataFrame) -> pd.Series:
    """The quarter in which each event happened as its first delivery tells: null where that delivery does not tell.

    Nor does it of the offence, which may be old when it is reported.
    """
    return work["first_same"].mask(work["blind"] | (work["step"] == "offence"))


def _outside(work: pd.DataFrame) -> pd.Series:
    """Whether the date lies outside the quarter that its first delivery tells of, in another that was delivered whole."""
    return _told(work).notna() & ~_inside(work) & work["covered"]


def _repair(flagged: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """`candidates` for flagged events, between the days that the other events of their cases (`rows`) leave."""
    low, high = _bounds(rows)
    return candidates(flagged["date"], low[flagged.index], high[flagged.index], _told(flagged), flagged["begins"])


def _inside(work: pd.DataFrame) -> pd.Series:
    """Whether the date lies in the quarter in whose delivery the event, or the event with this date, first appeared."""
    quarter = [(work["date"] >= quarter_start(work[c])) & (work["date"] <= quarter_end(work[c])) for c in ("first_same", "first_period")]
    return quarter[0] | quarter[1]


def _by_quarter(work: pd.DataFrame) -> pd.Series:
    """How the quarter of first appearance speaks against a date: for it where the date lies inside, a little against it outside."""
    inside = _told(work).notna() & _inside(work)
    return (AGAINST_ITS_QUARTER * _outside(work) - FOR_ITS_QUARTER * inside).astype("float64")


def _misplaced(work: pd.DataFrame) -> pd.Series:
    """Dates outside the quarter in which the event was delivered that exchanging or a digit of the year moves into it.

    "A delivery holds every case that was opened or changed in the quarter" (SPEC.md): what happened earlier would have come earlier.
    """
    outside = work[_outside(work) & ~work["wrong"]]
    none = pd.Series(False, index=work.index)
    if outside.empty:
        return none
    rows = work[work["case_id"].isin(outside["case_id"])]
    rows = rows.assign(wrong=rows["wrong"] | rows.index.isin(outside.index))
    repair = _repair(outside.assign(begins=EARLIEST), rows)  # into that quarter, nowhere else
    return none.mask(none.index.isin(repair.index[repair["day"].notna()]), True)


def _accuse(work: pd.DataFrame) -> pd.Series:
    """Of the dates that contradict each other in a case, the one most likely wrong (boolean, at most one a case).

    A date that breaks more rules is more likely wrong, one in its own quarter less, one that exchanging or a digit puts right more.
    """
    conflicts = _conflicts(work)
    none = pd.Series(False, index=work.index)
    suspicion = conflicts + _by_quarter(work)
    flagged = work[(conflicts > 0) & (suspicion >= ENOUGH - max(REPAIRABLE.values()))]
    if flagged.empty:
        return none
    repair = _repair(flagged, work[work["case_id"].isin(flagged["case_id"])])
    score = suspicion[flagged.index] + repair["method"].map(REPAIRABLE).fillna(0.0).astype("float64")
    flagged, score = flagged[score >= ENOUGH], score[score >= ENOUGH]
    ranked = flagged.assign(score=score, place=range(len(flagged))).sort_values(["score", "place"], ascending=[False, False])
    return none.mask(none.index.isin(ranked.drop_duplicates("case_id").index), True)


def _doubt(work: pd.DataFrame) -> pd.Series:
    """Which dates cannot be right: after the end of the quarter in which they were seen, too old, misplaced, or out of order."""
    after = work["date"] > quarter_end(work["first_same"])
    work = work.assign(wrong=(after | (work["date"] < EARLIEST)).fillna(False))
    wrong, contested = work["wrong"] | _misplaced(work), work
    for _ in range(ROUNDS):
        accused = _accuse(contested.assign(wrong=wrong[contested.index]))
        if not accused.any():
            break
        wrong = wrong | accused.reindex(wrong.index, fill_value=False)
        contested = contested[contested["case_id"].isin(contested.loc[accused, "case_id"])]
    return wrong


def plausible(events: pd.DataFrame) -> pd.DataFrame:
    """Give each event the day on which it counts.

    In: events of `Standing.events`. Added: `day`, `method` (delivered; exchanged, year: put right; middle: of the quarter of first
    appearance, also where no date is known). An offence without a usable date stays without a day: nothing is counted by it.
    """
    work = events.reset_index(drop=True).assign(step=_steps(events).to_numpy())
    wrong = _doubt(work)
    work = work.assign(wrong=wrong, day=work["date"].mask(wrong), method=pd.Series("delivered", index=work.index, dtype="str").mask(wrong))
    if wrong.any():
        repaired = _repair(work[wrong], work[work["case_id"].isin(work.loc[wrong, "case_id"])])
        work.loc[wrong, ["day", "method"]] = repaired[["day", "method"]]
    lost = work["day"].isna() & (work["event"] != "offence")
    work["day"] = work["day"].mask(lost, quarter_middle(work["first_period"])).astype("datetime64[s]")
    work["method"] = work["method"].mask(lost, "middle")
    return work.drop(columns=["wrong", "step"])
