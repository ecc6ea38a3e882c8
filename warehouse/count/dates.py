"""Find the dates of events that cannot be right, and impute a day for each of them.

Belongs here: the order in which events happen, finding dates that contradict it, choosing the error that explains them best. Does not
belong here: reading a date (`pipelines/harmonisation`), how a source enters dates (`date_habits`), which of several days of a case or
person counts (`warehouse/models/figures`).

The rules are in docs/reference/counting-rules.md ("Dates that cannot be right"), and the method is explained in docs/explanation/dates.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.harmonisation.dates import find_first_possible_day, find_last_possible_day
from warehouse.count.date_habits import OPENING_STEPS, DateEntryHabits, describe_date_entries, iterate_days_explained_by_entry_errors
from warehouse.count.periods import find_first_day_of_periods, find_middle_day_of_periods, find_quarter_of_each_day

METHODS = ("delivered", "exchanged", "year", "middle")
MISSING, AFTER_DELIVERY, TOO_EARLY = "missing", "after_delivery", "too_early"
"""Values of `date_problem`, the reason for imputing a date. The other values are `before_` or `after_` and the event that contradicts the
date most."""
MAX_ROUNDS = 6
"""The wrong dates of a case are found one by one, one per round. The search ends after this number of rounds."""
SCOPES = ("record", "file", "person", "case")
"""An order of events applies to the events of one record, of one case file of an institution, of one person in a case, or of one case."""
SCOPES_OVER_FILES = ("person", "case")
"""Scopes that can contain several case files. In these scopes, an order is binding only if each of its two events happened once, and never
for a case file that was merged into another one."""
OUT_OF_ORDER = {"record": 1e-5, "file": 1e-5, "person": 1e-4, "case": 1e-4}
"""How often correct dates contradict an order of `ORDERS`, for each scope. This happens if cases are linked wrongly, or if case files
follow one another."""
MIN_LIKELIHOOD_RATIO = 3.0
"""How many times more likely than the delivered dates an error must be for a date to be imputed."""
NEVER, NO_STEP = np.iinfo("int64").max, -2
"""Values that stand for a missing day (in seconds), and for the number of a step that does not occur among the events."""


@dataclass(frozen=True)
class EventOrderRule:
    """The rule that the event `earlier` happens no later than the event `later` of the same record, case file, person or case.

    scope: which of these it is (one of `SCOPES`). slack: the number of days by which `earlier` may nevertheless be after `later`.
    """

    earlier: str
    later: str
    scope: str
    slack: int = 0


MAX_DAYS_BEFORE_FILE = 300
"""A victim may have been referred or helped this many days before the case file was opened; an earlier date has a wrong year."""
ORDERS: tuple[EventOrderRule, ...] = (
    EventOrderRule("offence", "reported", "file"),
    EventOrderRule("offence", "arrested", "file"),
    EventOrderRule("offence", "sent", "file"),
    EventOrderRule("reported", "sent", "file"),
    EventOrderRule("reported", "received_prosecution", "case"),
    EventOrderRule("sent", "received_prosecution", "case"),
    *(
        EventOrderRule("received_prosecution", d, "file")
        for d in ("investigation_opened", "dismissed", "indicted", "terminated", "separated")
    ),
    EventOrderRule("investigation_opened", "indicted", "file"),
    EventOrderRule("received_prosecution", "received_court", "case"),
    EventOrderRule("indicted", "received_court", "case"),
    EventOrderRule("received_court", "judged", "file"),
    EventOrderRule("received_court", "final", "file"),
    EventOrderRule("judged", "final", "record"),
    EventOrderRule("arrested", "detained", "person"),
    EventOrderRule("offence", "referred", "case"),
    EventOrderRule("referred", "supported", "record"),
    EventOrderRule("supported", "represented", "record"),
    *(EventOrderRule("supported", event, "file", MAX_DAYS_BEFORE_FILE) for event in ("referred", "assisted", "sheltered")),
    EventOrderRule("presumed", "identified", "record"),
    EventOrderRule("presumed", "not_confirmed", "record"),
    EventOrderRule("sheltered", "left_shelter", "record"),
)


def _derive_columns_of_events(events: pd.DataFrame) -> pd.DataFrame:
    """Derive from `events` the columns that the functions below need, with the same index.

    Columns out: the columns of `describe_date_entries`; merged: whether its case file was merged into another one; came: the period in
    which the event was first delivered; and one column for each scope, with the name of the scope. It contains the number of the record,
    case file, person or case to which the event belongs, or -1 if there is none: an event of a case belongs to no person.
    """
    groups = {name: events[f"{name}_group"].fillna(-1).astype("int64") for name in SCOPES}
    return describe_date_entries(events).assign(merged=events["merged"], came=events["first_period"], **groups)


@dataclass(frozen=True)
class EventsOfOrderRule:
    """The events that an `EventOrderRule` relates, as arrays with one element per event. A group is one record, file, person or case.

    All days are in seconds; `NEVER` stands for a missing day.

    positions           row number of the event
    earlier, later      whether it is the earlier or the later event of the order. Both are false if its case file was merged and the scope
                        contains several case files
    day                 day of the event. If only the month is known, an earlier event has the first day of the month, and a later event has
                        the last one. The slack of the order is subtracted from the day of an earlier event
    low, high           the first day of all earlier events in its group, and the first day of all later events in its group
    n_earlier, n_later  number of earlier events and number of later events in its group
    usable              whether the date of the event is known and not wrong
    slack               the slack of the order, in seconds
    """

    positions: np.ndarray
    earlier: np.ndarray
    later: np.ndarray
    day: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_earlier: np.ndarray
    n_later: np.ndarray
    usable: np.ndarray
    slack: int


def _iterate_order_rules_with_events(prepared: pd.DataFrame) -> Iterator[tuple[EventOrderRule, EventsOfOrderRule]]:
    """Yield each order of `ORDERS` with the events that it relates.

    prepared: the events from `_derive_columns_of_events`, with a further column `wrong`, which is true for dates that must not be used.
    """
    step, merged = prepared["step"].cat.codes.to_numpy(), prepared["merged"].to_numpy()
    code_of = {name: code for code, name in enumerate(prepared["step"].cat.categories)}
    day = first = last = _convert_days_to_seconds(prepared["date"])
    if prepared["month"].any():
        precision = prepared["month"].map({True: "month", False: "day"})
        first, last = (
            _convert_days_to_seconds(of_month(prepared["date"], precision))
            for of_month in (find_first_possible_day, find_last_possible_day)
        )
    usable = ~prepared["wrong"].to_numpy() & (day != NEVER)
    for order in ORDERS:
        is_earlier = step == code_of.get(order.earlier, NO_STEP)
        positions = np.flatnonzero(is_earlier | (step == code_of.get(order.later, NO_STEP)))
        earlier, group = is_earlier[positions], prepared[order.scope].to_numpy()[positions]
        later, good = ~earlier, usable[positions] & (group >= 0)
        slack = order.slack * 86_400
        extreme_day = np.where(earlier & (first[positions] != NEVER), first[positions] - slack, last[positions])
        groups = int(group.max(initial=-1)) + 2  # the last, of events without a group, stays empty
        n_earlier, n_later = (np.bincount(group[good & side], minlength=groups)[group] for side in (earlier, later))
        if order.scope in SCOPES_OVER_FILES:
            earlier, later = earlier & ~merged[positions], later & ~merged[positions]
        low, high = (_find_first_day_of_group(extreme_day, group, good & side, groups) for side in (earlier, later))
        yield order, EventsOfOrderRule(positions, earlier, later, extreme_day, low, high, n_earlier, n_later, usable[positions], slack)


def _convert_days_to_seconds(days: pd.Series) -> np.ndarray:
    """Convert days to seconds since 1970; a missing day becomes `NEVER`."""
    return np.where(days.isna(), NEVER, days.to_numpy("datetime64[s]").astype("int64"))


def _find_first_day_of_group(day: np.ndarray, group: np.ndarray, chosen: np.ndarray, groups: int) -> np.ndarray:
    """Return, for each row, the first `day` of the `chosen` rows of its `group`; `NEVER` if there are none. groups: number of groups."""
    first = np.full(groups, NEVER)
    np.minimum.at(first, group[chosen], day[chosen])
    return np.asarray(first[group])


def _weigh_order_conflicts(prepared: pd.DataFrame) -> pd.DataFrame:
    """Weigh the evidence of the order of events against each date.

    Columns out: weight: for each order that the date contradicts, the negative logarithm of how often correct dates contradict it
    (`OUT_OF_ORDER`); these are added up, and the weight is 0 if there are none; by: `before_` or `after_` and the event that contradicts
    the date most. If several earlier events contradict one later event, the evidence is divided among them. A later event is out of order
    only if it is before every earlier event of its group, since files of one case may follow one another. In scopes that contain several
    case files, an order is binding only if each of its two events happened once. Among the orders that are not binding, only the one with
    the most evidence counts, with half its weight, since all of them have the same reason.
    """
    score, loose, most = (np.zeros(len(prepared)) for _ in range(3))
    by = np.full(len(prepared), None, dtype=object)
    for order, sides in _iterate_order_rules_with_events(prepared):
        positions, ordered = sides.positions, sides.low != NEVER
        late = sides.later & ordered & (sides.day < sides.low)
        early = sides.earlier & ordered & (sides.high < sides.low)
        evidence = -np.log(OUT_OF_ORDER[order.scope]) * (late + early / np.maximum(sides.n_earlier, 1))
        single = (sides.n_earlier == 1) & (sides.n_later == 1)
        binding = order.scope not in SCOPES_OVER_FILES or single & (order.scope != "person")
        score[positions] += np.where(binding, evidence, 0.0)
        loose[positions] = np.maximum(loose[positions], np.where(binding, 0.0, 0.5 * evidence))
        name = np.where(late, f"before_{order.earlier}", f"after_{order.later}")
        by[positions] = np.where(evidence > most[positions], name, by[positions])
        most[positions] = np.maximum(most[positions], evidence)
    usable = (~prepared["wrong"] & prepared["date"].notna()).to_numpy()
    return pd.DataFrame({"weight": np.where(usable, score + loose, 0.0), "by": pd.array(by, dtype="str")}, index=prepared.index)


def _find_range_of_possible_days(prepared: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return the first and the last possible day of each event.

    The days follow from the period in which the event was first delivered, and from the dates of other events, except wrong dates.
    """
    low, high = _convert_days_to_seconds(prepared["earliest"]), _convert_days_to_seconds(prepared["last"])
    for _, sides in _iterate_order_rules_with_events(prepared):
        positions = sides.positions
        later = sides.later & (sides.low != NEVER)
        low[positions[later]] = np.maximum(low[positions[later]], sides.low[later])
        alone = sides.earlier & (sides.n_earlier <= sides.usable) & (high[positions] != NEVER)  # no other earlier event in its group
        high[positions[alone]] = np.minimum(
            high[positions[alone]], sides.high[alone] + np.where(sides.high[alone] == NEVER, 0, sides.slack)
        )
    return _convert_seconds_to_days(low, prepared.index), _convert_seconds_to_days(high, prepared.index)


def _convert_seconds_to_days(seconds: np.ndarray, index: pd.Index) -> pd.Series:
    """Convert seconds since 1970 to days, as a column with this index; the inverse of `_convert_days_to_seconds`."""
    moments = seconds.astype("datetime64[s]")
    moments[seconds == NEVER] = np.datetime64("NaT")
    return pd.Series(moments, index=index)


def _explain_wrong_dates(flagged: pd.DataFrame, rows: pd.DataFrame, habits: DateEntryHabits) -> pd.DataFrame:
    """Find the error of entry that best explains each date in `flagged`. The other events of its case are taken into account.

    flagged: the events whose dates are examined, which are some of `rows`. rows: all events of the cases, from `_derive_columns_of_events`.
    habits: how often each institution makes each error. Columns out: day: the correct day according to the error; method: the error
    (`exchanged` or `year`); weight: the likelihood of the error and of its day. Day and method are null if some other error is more likely.
    """
    low, high = (bound[flagged.index] for bound in _find_range_of_possible_days(rows))
    institution = flagged["institution"]
    best = np.zeros(len(flagged))
    day, method = pd.Series(pd.NaT, index=flagged.index).astype("datetime64[s]"), pd.Series(None, index=flagged.index, dtype="str")
    for kind, back, proposed in iterate_days_explained_by_entry_errors(flagged["date"], high):
        possible = proposed.where((proposed >= low) & (proposed <= high))
        # If the first delivery does not show the quarter, each year further back is half as likely.
        share = np.where(flagged["first_quarter"].isna(), 0.5**back, 1.0) if kind == "year" else 1.0
        weight = habits.rates_of(institution, (kind,))[:, 0] * share * habits.likelihood(flagged, possible)
        better = weight > best
        best = np.where(better, weight, best)
        day, method = day.mask(better, possible), method.mask(better, kind)
    other = habits.rates_of(institution, ("other",))[:, 0] * habits.likelihood(flagged, flagged["middle"])
    return pd.DataFrame({"day": day.mask(other > best), "method": method.mask(other > best), "weight": np.maximum(best, other)})


def _select_events_of_same_cases(prepared: pd.DataFrame, some_events: pd.DataFrame) -> pd.DataFrame:
    """Select from `prepared` all events of the cases that have an event in `some_events`."""
    return prepared[prepared["case"].isin(some_events["case"])]


def _find_likeliest_wrong_dates(prepared: pd.DataFrame, habits: DateEntryHabits) -> pd.Series:
    """Find, in each case, the date that is most likely an error among those that contradict one another.

    The result says for that event what contradicts its date (`before_…`, `after_…`); it is null for all other events. It is null for all
    events of a case if no error is much more likely than the delivered dates (`MIN_LIKELIHOOD_RATIO`).
    """
    conflicts = _weigh_order_conflicts(prepared)
    flagged = prepared[conflicts["weight"] > 0]
    if flagged.empty:
        return pd.Series(None, index=prepared.index, dtype="str")
    mistaken = _explain_wrong_dates(flagged, _select_events_of_same_cases(prepared, flagged), habits)["weight"]
    right = habits.likelihood(flagged, flagged["date"], delivered=True)
    candidates = flagged.assign(by=conflicts["by"], odds=np.log(mistaken) - np.log(right) + conflicts["weight"], place=range(len(flagged)))
    candidates = (
        candidates[candidates["odds"] > np.log(MIN_LIKELIHOOD_RATIO)]
        .sort_values(["odds", "place"], ascending=[False, False])
        .drop_duplicates("case")
    )
    return candidates["by"].reindex(prepared.index)


def _find_date_problems(prepared: pd.DataFrame, habits: DateEntryHabits) -> pd.Series:
    """Return why each known date cannot be right (`date_problem`). The reason is null if the date is possible or missing."""
    problem = pd.Series(None, index=prepared.index, dtype="str").mask(prepared["date"] > prepared["last"], AFTER_DELIVERY)
    problem = problem.mask(prepared["date"] < prepared["earliest"], TOO_EARLY)
    searched = prepared
    for _ in range(MAX_ROUNDS):
        errors = _find_likeliest_wrong_dates(searched.assign(wrong=problem[searched.index].notna()), habits).dropna()
        if errors.empty:
            break
        problem = problem.mask(problem.index.isin(errors.index), errors.reindex(problem.index))
        searched = _select_events_of_same_cases(searched, searched.loc[errors.index])
    return problem


def _choose_middle_of_possible_days(lost: pd.DataFrame, prepared: pd.DataFrame) -> pd.Series:
    """Choose a day for each event in `lost`. These are the events for which no day can be derived from the delivered date.

    The day is the middle of the period in which the event was first delivered. If the event was delivered with a case file that was entered
    late, it is the middle of the quarter in which the file was opened. If other dates of the case exclude that day, it is the nearest
    possible day.
    """
    rows = _select_events_of_same_cases(prepared, prepared.loc[lost.index])
    opened = rows[rows["step"].isin(OPENING_STEPS) & ~rows["wrong"] & rows["date"].notna()].drop_duplicates("file").set_index("file")
    middle = find_middle_day_of_periods(lost["first_period"])
    of_file = opened[["date", "came"]].reindex(prepared.loc[lost.index, "file"]).set_index(lost.index)
    day, came = of_file["date"], of_file["came"]
    starts = find_first_day_of_periods(lost["first_period"])
    # A file from before the first delivery first comes when it changes: only its number then tells that it was entered late.
    entered_since = (day >= lost["begins"]) | ((lost["number_year"] > day.dt.year) & (lost["number_year"] == starts.dt.year))
    late = ~lost["left_censored"] & (came == lost["first_period"]) & (day < starts) & entered_since.fillna(False)
    middle = middle.mask(late, find_middle_day_of_periods(find_quarter_of_each_day(day)))
    low, high = (bound[lost.index] for bound in _find_range_of_possible_days(rows))
    return middle.mask(middle > high, high).mask(middle < low, low).where((low <= high).fillna(True), middle)


def impute_dates(events: pd.DataFrame, habits: DateEntryHabits) -> pd.DataFrame:
    """Determine the day on which each event counts, and return the events with three more columns.

    events: rows of the model `dated_event`; if an event of a case is among them, all events of that case are. habits: how institutions
    enter dates. Columns added:
    day           the day; null only for an offence without a usable date, since nothing is counted by the day of the offence
    method        how the day was found. `delivered`: it is the delivered date; `exchanged`: day and month were exchanged; `year`: one digit
                  of the year was wrong; `middle`: it is the middle of a period, since the date is missing or its error unknown
    date_problem  why the day is not the delivered date: `missing`, `after_delivery`, `too_early`, or `before_` or `after_` and the event
                  that contradicts the date; null if the day is the delivered date
    """
    events = events.reset_index(drop=True)
    prepared = _derive_columns_of_events(events)
    problem = _find_date_problems(prepared, habits)
    wrong = problem.notna()
    day, method = prepared["date"].mask(wrong), pd.Series("delivered", index=prepared.index, dtype="str").mask(wrong)
    if wrong.any():
        prepared = prepared.assign(wrong=wrong)
        imputed = _explain_wrong_dates(prepared[wrong], _select_events_of_same_cases(prepared, prepared[wrong]), habits)
        day.loc[wrong], method.loc[wrong] = imputed["day"], imputed["method"]
    lost = day.isna() & (prepared["step"] != "offence")
    if lost.any():
        day = day.mask(lost, _choose_middle_of_possible_days(events[lost], prepared.assign(wrong=wrong))).astype("datetime64[s]")
    return events.assign(day=day, method=method.mask(lost, "middle"), date_problem=problem.mask(prepared["date"].isna(), MISSING))
