"""Impute dates: find dates that cannot be right, and impute a day for each.

Belongs here: the order of events, finding dates that contradict it, choosing the error that explains them best. Does not belong here:
reading a date (`pipelines/harmonisation`), how a source enters dates (`date_habits`), which of several days counts (`models/figures`).

Rules (counting-rules.md): "A date that cannot be right (after the end of the delivered quarter, or out of the order in which things
happen) counts, harmonised, on the most plausible day: day and month exchanged or one digit of the year put right, where that
gives a possible day; else the middle of the quarter in whose delivery the event first appears." (of the delivered
period: the month, where an institution delivers monthly; of the quarter in which the file was opened, where the register entered the
file late; always within the range that the other dates of the case leave) "A date that contradicts only the
year in its file's number, or only the quarter in which it was first delivered, stays as delivered", and "the explanation chosen must be
the likelier one by how often it occurs in that source." docs/explanation/dates.md says how.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.harmonisation.dates import first_day, last_day
from warehouse.count.date_habits import OPENING, DateHabits, event_entries, possible_errors
from warehouse.count.periods import period_middle, period_start, quarter_of

METHODS = ("delivered", "exchanged", "year", "middle")
MISSING, AFTER_DELIVERY, TOO_EARLY = "missing", "after_delivery", "too_early"
"""Reasons for imputing a date; also `before_` and `after_` with the event that contradicts it most."""
ROUNDS = 6
SCOPES = ("record", "file", "person", "case")
"""Scopes within which events are ordered: a record or a file of an institution, a person in a case, a case."""
ACROSS = ("person", "case")
"""Scopes over several files: here a rule is binding only between two single events, and not for a merged file."""
OUT_OF_ORDER = {"record": 1e-5, "file": 1e-5, "person": 1e-4, "case": 1e-4}
"""How often correct dates break a rule of `ORDER`: wrongly linked cases, successive files."""
CONVINCING = 3.0
"""How many times more likely than the delivered dates an error must be."""
NEVER, NOWHERE = np.iinfo("int64").max, -2


@dataclass(frozen=True)
class EventOrder:
    """`earlier` happens no later than `later`, within one record, one file of an institution, one person in a case, or one case; with
    `slack`, at most so many days after it."""

    earlier: str
    later: str
    scope: str
    slack: int = 0


LONG_BEFORE = 300
"""Days before its file was opened on which a victim may have been referred or helped: more is a wrong year."""
ORDER: tuple[EventOrder, ...] = (
    EventOrder("offence", "reported", "file"),
    EventOrder("offence", "arrested", "file"),
    EventOrder("offence", "sent", "file"),
    EventOrder("reported", "sent", "file"),
    EventOrder("reported", "received_prosecution", "case"),
    EventOrder("sent", "received_prosecution", "case"),
    *(EventOrder("received_prosecution", d, "file") for d in ("investigation_opened", "dismissed", "indicted", "terminated", "separated")),
    EventOrder("investigation_opened", "indicted", "file"),
    EventOrder("received_prosecution", "received_court", "case"),
    EventOrder("indicted", "received_court", "case"),
    EventOrder("received_court", "judged", "file"),
    EventOrder("received_court", "final", "file"),
    EventOrder("judged", "final", "record"),
    EventOrder("arrested", "detained", "person"),
    EventOrder("offence", "referred", "case"),
    EventOrder("referred", "supported", "record"),
    EventOrder("supported", "represented", "record"),
    *(EventOrder("supported", event, "file", LONG_BEFORE) for event in ("referred", "assisted", "sheltered")),
    EventOrder("presumed", "identified", "record"),
    EventOrder("presumed", "not_confirmed", "record"),
    EventOrder("sheltered", "left_shelter", "record"),
)


def _working_columns(events: pd.DataFrame) -> pd.DataFrame:
    """The events' columns needed below, on their index: columns of `entries`, merged, came (period of first delivery), and for every scope
    the number of the event's group (-1: none, since an event of a case belongs to no person)."""
    groups = {name: events[f"{name}_group"].fillna(-1).astype("int64") for name in SCOPES}
    return event_entries(events).assign(merged=events["merged"], came=events["first_period"], **groups)


@dataclass(frozen=True)
class OrderSides:
    """The events of an order, one row each.

    at: the event's position; earlier, later: its side (neither if its file was merged, in scopes across files); day, low, high: its day,
    the first earlier day and the first later one of its group, in seconds, `NEVER` if there is none (for a month, the first day of an
    earlier event and the last day of a later one; earlier days less the order's `slack`); n, m: numbers of earlier and later events of
    its group; usable: its date is known and not wrong; slack: that of the order, in seconds.
    """

    at: np.ndarray
    earlier: np.ndarray
    later: np.ndarray
    day: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    m: np.ndarray
    usable: np.ndarray
    slack: int


def _order_sides(work: pd.DataFrame) -> Iterator[tuple[EventOrder, OrderSides]]:
    """Find the events of both sides of every order that must hold between events."""
    step, merged = work["step"].cat.codes.to_numpy(), work["merged"].to_numpy()
    code_of = {name: code for code, name in enumerate(work["step"].cat.categories)}
    day = first = last = _days_as_seconds(work["date"])
    if work["month"].any():
        precision = work["month"].map({True: "month", False: "day"})
        first, last = (_days_as_seconds(of_month(work["date"], precision)) for of_month in (first_day, last_day))
    usable = ~work["wrong"].to_numpy() & (day != NEVER)
    for order in ORDER:
        is_earlier = step == code_of.get(order.earlier, NOWHERE)
        at = np.flatnonzero(is_earlier | (step == code_of.get(order.later, NOWHERE)))
        earlier, group = is_earlier[at], work[order.scope].to_numpy()[at]
        later, good = ~earlier, usable[at] & (group >= 0)
        slack = order.slack * 86_400
        can_be = np.where(earlier & (first[at] != NEVER), first[at] - slack, last[at])
        many = int(group.max(initial=-1)) + 2  # the last, of events without a group, stays empty
        n, m = (np.bincount(group[good & side], minlength=many)[group] for side in (earlier, later))
        if order.scope in ACROSS:
            earlier, later = earlier & ~merged[at], later & ~merged[at]
        low, high = (_first_day_of_group(can_be, group, good & side, many) for side in (earlier, later))
        yield order, OrderSides(at, earlier, later, can_be, low, high, n, m, usable[at], slack)


def _days_as_seconds(days: pd.Series) -> np.ndarray:
    """Convert days to seconds; `NEVER` for a missing day."""
    return np.where(days.isna(), NEVER, days.to_numpy("datetime64[s]").astype("int64"))


def _first_day_of_group(day: np.ndarray, group: np.ndarray, chosen: np.ndarray, many: int) -> np.ndarray:
    """Return, for each row, the first of the `chosen` days in its group; `many`: number of groups."""
    first = np.full(many, NEVER)
    np.minimum.at(first, group[chosen], day[chosen])
    return np.asarray(first[group])


def _order_conflicts(work: pd.DataFrame) -> pd.DataFrame:
    """The evidence of the order of events against each date.

    Columns out: weight: the sum over all broken rules of the logarithm of how rarely correct dates break them; by: the event with most
    weight against it, with before or after. If several earlier events contradict one later event, each has its share. A later event is out
    of order if it is before every earlier one: files of one case may follow each other. Over several files a rule is binding between two
    single events; else it counts half, and such rules count once, since they have one reason.
    """
    score, loose, most = (np.zeros(len(work)) for _ in range(3))
    by = np.full(len(work), None, dtype=object)
    for order, of in _order_sides(work):
        ordered = of.low != NEVER
        late = of.later & ordered & (of.day < of.low)
        early = of.earlier & ordered & (of.high < of.low)
        speaks = -np.log(OUT_OF_ORDER[order.scope]) * (late + early / np.maximum(of.n, 1))
        binds = order.scope not in ACROSS or (of.n == 1) & (of.m == 1) & (order.scope != "person")
        score[of.at] += np.where(binds, speaks, 0.0)
        loose[of.at] = np.maximum(loose[of.at], np.where(binds, 0.0, 0.5 * speaks))
        name = np.where(late, f"before_{order.earlier}", f"after_{order.later}")
        by[of.at] = np.where(speaks > most[of.at], name, by[of.at])
        most[of.at] = np.maximum(most[of.at], speaks)
    standing = (~work["wrong"] & work["date"].notna()).to_numpy()
    return pd.DataFrame({"weight": np.where(standing, score + loose, 0.0), "by": pd.array(by, dtype="str")}, index=work.index)


def _possible_range(work: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The possible range of days of each event, by the dates that are not wrong and the quarter in which it was first delivered."""
    low, high = _days_as_seconds(work["earliest"]), _days_as_seconds(work["last"])
    for _, of in _order_sides(work):
        later = of.later & (of.low != NEVER)
        low[of.at[later]] = np.maximum(low[of.at[later]], of.low[later])
        alone = of.earlier & (of.n <= of.usable) & (high[of.at] != NEVER)
        high[of.at[alone]] = np.minimum(high[of.at[alone]], of.high[alone] + np.where(of.high[alone] == NEVER, 0, of.slack))
    return _seconds_as_days(low, work.index), _seconds_as_days(high, work.index)


def _seconds_as_days(seconds: np.ndarray, index: pd.Index) -> pd.Series:
    """Convert seconds to days, the inverse of `_days_as_seconds`."""
    found = seconds.astype("datetime64[s]")
    found[seconds == NEVER] = np.datetime64("NaT")
    return pd.Series(found, index=index)


def _explain_errors(flagged: pd.DataFrame, rows: pd.DataFrame, habits: DateHabits) -> pd.DataFrame:
    """The error that best explains each flagged date, within the range left by the other events of its case (`rows`).

    Columns out: day (null if an unspecific error is more likely than any other), method (exchanged, year), weight: likelihood of the error
    with its day.
    """
    low, high = (bound[flagged.index] for bound in _possible_range(rows))
    of = flagged["institution"]
    best = np.zeros(len(flagged))
    day, method = pd.Series(pd.NaT, index=flagged.index).astype("datetime64[s]"), pd.Series(None, index=flagged.index, dtype="str")
    for kind, back, proposed in possible_errors(flagged["date"], high):
        possible = proposed.where((proposed >= low) & (proposed <= high))
        # If the first delivery does not show the quarter, each year further back is half as likely.
        share = np.where(flagged["first_quarter"].isna(), 0.5**back, 1.0) if kind == "year" else 1.0
        weight = habits.of(of, (kind,))[:, 0] * share * habits.likelihood(flagged, possible)
        better = weight > best
        best = np.where(better, weight, best)
        day, method = day.mask(better, possible), method.mask(better, kind)
    other = habits.of(of, ("other",))[:, 0] * habits.likelihood(flagged, flagged["middle"])
    return pd.DataFrame({"day": day.mask(other > best), "method": method.mask(other > best), "weight": np.maximum(best, other)})


def _events_of_same_cases(work: pd.DataFrame, some: pd.DataFrame) -> pd.DataFrame:
    """Select the events of every case that has an event in `some`."""
    return work[work["case"].isin(some["case"])]


def _likeliest_errors(work: pd.DataFrame, habits: DateHabits) -> pd.Series:
    """Among dates of a case that contradict each other, the one that is most likely an error, with what contradicts it; null for all
    others, and for all dates of a case if it is nearly as likely that they are right."""
    conflicts = _order_conflicts(work)
    flagged = work[conflicts["weight"] > 0]
    if flagged.empty:
        return pd.Series(None, index=work.index, dtype="str")
    mistaken = _explain_errors(flagged, _events_of_same_cases(work, flagged), habits)["weight"]
    right = habits.likelihood(flagged, flagged["date"], delivered=True)
    found = flagged.assign(by=conflicts["by"], odds=np.log(mistaken) - np.log(right) + conflicts["weight"], place=range(len(flagged)))
    found = found[found["odds"] > np.log(CONVINCING)].sort_values(["odds", "place"], ascending=[False, False]).drop_duplicates("case")
    return found["by"].reindex(work.index)


def _date_problems(work: pd.DataFrame, habits: DateHabits) -> pd.Series:
    """Say why each known date cannot be right; null for a possible date."""
    problem = pd.Series(None, index=work.index, dtype="str").mask(work["date"] > work["last"], AFTER_DELIVERY)
    problem = problem.mask(work["date"] < work["earliest"], TOO_EARLY)
    contested = work
    for _ in range(ROUNDS):
        accused = _likeliest_errors(contested.assign(wrong=problem[contested.index].notna()), habits).dropna()
        if accused.empty:
            break
        problem = problem.mask(problem.index.isin(accused.index), accused.reindex(problem.index))
        contested = _events_of_same_cases(contested, contested.loc[accused.index])
    return problem


def _middles(lost: pd.DataFrame, work: pd.DataFrame) -> pd.Series:
    """The day of events of which no date is known: the middle of the period whose delivery first held the event, or, if it came with a file
    that was entered late, of the quarter in which the file was opened; the nearest day to it that the other dates of the case leave."""
    rows = _events_of_same_cases(work, work.loc[lost.index])
    opened = rows[rows["step"].isin(OPENING) & ~rows["wrong"] & rows["date"].notna()].drop_duplicates("file").set_index("file")
    middle = period_middle(lost["first_period"])
    of_file = opened[["date", "came"]].reindex(work.loc[lost.index, "file"]).set_index(lost.index)
    day, came = of_file["date"], of_file["came"]
    starts = period_start(lost["first_period"])
    # A file from before the first delivery first comes when it changes: only its number then tells that it was entered late.
    entered_since = (day >= lost["begins"]) | ((lost["number_year"] > day.dt.year) & (lost["number_year"] == starts.dt.year))
    late = ~lost["left_censored"] & (came == lost["first_period"]) & (day < starts) & entered_since.fillna(False)
    middle = middle.mask(late, period_middle(quarter_of(day)))
    low, high = (bound[lost.index] for bound in _possible_range(rows))
    return middle.mask(middle > high, high).mask(middle < low, low).where((low <= high).fillna(True), middle)


def impute_dates(events: pd.DataFrame, habits: DateHabits) -> pd.DataFrame:
    """Determine the day on which each event counts.

    In: events of the model `dated_event`, of complete cases; habits of their sources. Added: `day`; `method` (delivered;
    exchanged, year: one error; middle: of the period of first delivery, also if no date is known); `date_problem`: why the day is not
    the delivered one (missing, after_delivery, too_early, before_ and after_ with another event; null if it is). An offence without a
    usable date has no day: nothing is counted by it.
    """
    events = events.reset_index(drop=True)
    work = _working_columns(events)
    problem = _date_problems(work, habits)
    wrong = problem.notna()
    day, method = work["date"].mask(wrong), pd.Series("delivered", index=work.index, dtype="str").mask(wrong)
    if wrong.any():
        work = work.assign(wrong=wrong)
        imputed = _explain_errors(work[wrong], _events_of_same_cases(work, work[wrong]), habits)
        day.loc[wrong], method.loc[wrong] = imputed["day"], imputed["method"]
    lost = day.isna() & (work["step"] != "offence")
    if lost.any():
        day = day.mask(lost, _middles(events[lost], work.assign(wrong=wrong))).astype("datetime64[s]")
    return events.assign(day=day, method=method.mask(lost, "middle"), date_problem=problem.mask(work["date"].isna(), MISSING))
