"""Estimate how late each institution enters its dates, and how often with an error. Only the institution's own deliveries are used.

Belongs here: how long after an event it is first delivered (its lag), which year is in the number of a case file, which errors occur, and
how likely a day is in view of these habits. Does not belong here: which dates contradict each other, which day is imputed (`dates`).
Method: unambiguous dates are counted. A few counts are added, as they would be expected of an unknown institution (a Dirichlet and a Beta
prior). docs/explanation/dates.md has the tables and an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sources import contract
from warehouse.count.periods import (
    find_first_day_of_periods,
    find_last_day_of_periods,
    find_middle_day_of_periods,
    find_quarter_of_each_day,
    number_quarters_consecutively,
)

MAX_AGE_YEARS = 80
"""The maximum number of years from an event to its delivery. Institutions open cases of offences that are decades old, but not a
century."""
OPENING_STEPS = ("reported", "received_prosecution", "received_court")
"""Events that open a case file. The number of a case file contains the year in which it was opened (docs/reference/deliveries.md)."""
MAX_YEARS_BACK, MONTHS_IN_YEAR = 12, 12
"""The number of years before the latest possible year among which the correct year of a date is searched; the number of months in a
year."""

LAGS = (0, 1, 2, 5, 9)
"""The lag of an event is the number of quarters until its first delivery. Lags are divided into classes (0, 1, 2 to 4, 5 to 8, 9 or more);
these are the smallest lags of the classes."""
LEFT_CENSORED = len(LAGS)
"""The class of an event that happened before the institution's first delivery, so that its lag is unknown."""
LAG_COLUMNS = tuple(f"lag_{n}" for n in range(LEFT_CENSORED + 1))
LAG_WIDTHS = (1, 1, 3, 4, 12, 12)
LAGS_EXPECTED = (45.0, 2.0, 1.0, 0.5, 0.25, 1.25)
NUMBER_WIDTHS = (1, 1, 8, 8)
"""For an event that opens a case file, the number of years from the event to the year in the file's number is divided into classes (none,
one, more, negative). This is how many different numbers of years each class contains."""
NUMBERS_EXPECTED = {"on_time": (46.0, 2.0, 1.0, 1.0), "late": (25.0, 20.0, 3.0, 2.0)}
NUMBER_COLUMNS = {when: tuple(f"number_{when}_{n}" for n in range(4)) for when in NUMBERS_EXPECTED}
ERRORS = {"exchanged": ("exchangeable", 0.5, 1), "year": ("dates", 0.5, 9), "other": ("dates", 0.1, 100)}
"""The kinds of errors in dates. For each kind: the column that counts the dates in which it can be detected; the number of such errors
expected in `DATES_EXPECTED` dates; and how many different dates the error can make of one date. Exchanging day and month makes one,
changing a digit makes nine, and other errors can make any day (counted in quarters)."""
DATES_EXPECTED = 500


def find_procedure_step_of_each_event(events: pd.DataFrame) -> pd.Series:
    """Return the procedure step of each event. The step is the name of the event. Only the event `received` has, depending on the
    institution that received the case, the step `received_prosecution` or `received_court`."""
    court = (events["event"] == "received") & events["institution"].isin(contract.institutions_at_stages("courts"))
    prosecution = (events["event"] == "received") & events["institution"].isin(contract.institutions_at_stages("prosecution"))
    return events["event"].mask(court, "received_court").mask(prosecution, "received_prosecution")


def describe_date_entries(events: pd.DataFrame) -> pd.DataFrame:
    """Describe how the date of each event was entered. events: rows of the model `dated_event`.

    Columns out:
    institution, date, number_year, begins  as in `events`
    step                  from `find_procedure_step_of_each_event`
    first_quarter         quarter in which this date was first delivered, from which the lag is measured; null if the delivery does not show
                          when the event was entered, and for an offence, which may be old when it is reported
    starts, middle, last  first, middle and last day of the period in which the date was first delivered
    earliest              1 January of the year `MAX_AGE_YEARS` years before `last`
    month                 whether only the month of the date is known
    on_time               whether the date is in the period in which the event, or this date of the event, was first delivered. A date in a
                          period that was not completely delivered is also on time, since the events of such a period are delivered later
    """
    days, last = events["date"], find_last_day_of_periods(events["first_same_period"])
    starts = find_first_day_of_periods(events["first_same_period"])
    in_period = [
        (days >= find_first_day_of_periods(events[c])) & (days <= find_last_day_of_periods(events[c]))
        for c in ("first_same_period", "first_period")
    ]
    return pd.DataFrame(
        {
            "step": find_procedure_step_of_each_event(events).astype("category"),
            **{name: events[name] for name in ("institution", "date", "number_year", "begins")},
            "first_quarter": find_quarter_of_each_day(starts).mask(events["left_censored"] | (events["event"] == "offence")),
            "starts": starts,
            "middle": find_middle_day_of_periods(events["first_same_period"]),
            "last": last,
            "earliest": pd.Series((last.to_numpy("datetime64[Y]") - MAX_AGE_YEARS).astype("datetime64[s]"), index=events.index),
            "month": events["date_precision"].eq("month") if "date_precision" in events else False,
            "on_time": in_period[0] | in_period[1] | (~events["covered"] & (days >= events["begins"])),
        }
    )


def _make_dates(year: pd.Series, month: pd.Series, day: pd.Series) -> pd.Series:
    """Make dates of years, months and days; null for a date that does not exist, such as 29 February of a common year."""
    years, months, days = (numbers.to_numpy("float64", na_value=np.nan) for numbers in (year, month, day))
    is_complete = ~np.isnan(years + months + days) & (months <= MONTHS_IN_YEAR)
    of_month = np.where(is_complete, (years - 1970) * MONTHS_IN_YEAR + months - 1, 0).astype("int64").astype("datetime64[M]")
    dates = of_month.astype("datetime64[D]") + np.where(is_complete, days - 1, 0).astype("int64")
    dates[~is_complete | (dates.astype("datetime64[M]") != of_month)] = np.datetime64("NaT")
    return pd.Series(dates.astype("datetime64[s]"), index=year.index)


def _differ_in_one_digit(a: pd.Series, b: pd.Series) -> pd.Series:
    """Return whether two years of four digits differ in exactly one digit."""
    x, y = a.astype("Int64").fillna(0).to_numpy(dtype=int), b.astype("Int64").fillna(0).to_numpy(dtype=int)
    off = sum(((x // 10**p) % 10 != (y // 10**p) % 10).astype(int) for p in range(4))
    return pd.Series(np.asarray(off) == 1, index=a.index)


def swap_day_and_month(dates: pd.Series) -> pd.Series:
    """Exchange day and month of each date; null if the result is no date, or the same date."""
    exchanged = _make_dates(dates.dt.year, dates.dt.day, dates.dt.month)
    return exchanged.mask(exchanged == dates)


def iterate_days_explained_by_entry_errors(dates: pd.Series, latest: pd.Series) -> Iterator[tuple[str, int, pd.Series]]:
    """Yield, for each possible error of entry, the correct days that this error would have turned into `dates`.

    Each item: the kind of error (`exchanged`, `year`); how many years the correct year is before the year of `latest`; the correct day of
    each date, null if the error cannot have made this date. The first item exchanges day and month. Each further item changes one digit of
    the year, so that it becomes the year of `latest` or one of the `MAX_YEARS_BACK` years before it.
    """
    yield "exchanged", 0, swap_day_and_month(dates)
    for back in range(MAX_YEARS_BACK + 1):
        year = latest.dt.year - back
        yield "year", back, _make_dates(year, dates.dt.month, dates.dt.day).where(_differ_in_one_digit(year, dates.dt.year))


def _classify_entry_lag_of_each_event(rows: pd.DataFrame, days: pd.Series) -> np.ndarray:
    """Return the class of each event's lag (the index in `LAGS`), if the event happened on the given day of `days`.

    The class is `LEFT_CENSORED` if the day is before the institution's first delivery, and -1 if the lag is unknown.
    """
    quarters = number_quarters_consecutively(rows["first_quarter"]) - (days.dt.year * 4 + days.dt.quarter - 1)
    classes = np.searchsorted(LAGS, quarters.fillna(0).clip(lower=0).to_numpy("int64"), side="right") - 1
    classes = np.where((days < rows["begins"]).to_numpy(), LEFT_CENSORED, classes)
    return np.where(rows["first_quarter"].isna() | days.isna(), -1, classes)


def _classify_years_between_event_and_file_number(rows: pd.DataFrame, days: pd.Series) -> np.ndarray:
    """Return the class (the index in `NUMBER_WIDTHS`) of the number of years from each day of `days` to the year in the event's file
    number.

    The class is -1 if the event does not open a case file, or if the number of the file contains no year.
    """
    off = (rows["number_year"] - days.dt.year).where(rows["step"].isin(OPENING_STEPS))
    years = off.fillna(0).to_numpy("int64")
    return np.where(off.isna(), -1, np.where(years < 0, 3, np.minimum(years, 2)))


@dataclass(frozen=True)
class DateEntryHabits:
    """How institutions enter dates.

    rates: one row for each institution, which is the index. They are rounded to powers of two, so that a further delivery rarely changes
    one. Columns:
    exchanged, year, other  probability that a date has this error and becomes exactly the delivered date
    lag_*                   share of events with a lag of this class, divided by the number of quarters in the class
    number_*                share of case files with a number of years of this class (see `NUMBER_WIDTHS`), divided by the number of years
                            in the class; separately for events delivered on time and late
    """

    rates: pd.DataFrame

    def rates_of(self, institution: pd.Series, names: tuple[str, ...]) -> np.ndarray:
        """Return the columns `names` of `rates`, with one row for each element of `institution`. An unknown institution gets the expected
        rates."""
        return self.rates[list(names)].reindex(institution).fillna(_EXPECTED).to_numpy()

    def likelihood(self, rows: pd.DataFrame, days: pd.Series, *, delivered: bool = False) -> np.ndarray:
        """Return the likelihood that each event happened on the given day of `days`.

        It follows from the quarter in which the event was first delivered and the year in the number of its file.

        rows: the result of `describe_date_entries`. delivered: whether `days` are the delivered dates, to which the column `on_time`
        applies. The likelihood is 0 if there is no day.
        """
        lag, number, positions = (
            _classify_entry_lag_of_each_event(rows, days),
            _classify_years_between_event_and_file_number(rows, days),
            np.arange(len(rows)),
        )
        if delivered:
            lag = np.where(rows["on_time"].to_numpy() & (lag >= 0), 0, lag)
        likelihoods = np.where(lag < 0, 1.0, self.rates_of(rows["institution"], LAG_COLUMNS)[positions, lag])
        late = (lag > 0) & (lag < LEFT_CENSORED)
        for when, mine in (("on_time", ~late), ("late", late)):
            likelihoods = np.where(
                (number >= 0) & mine, likelihoods * self.rates_of(rows["institution"], NUMBER_COLUMNS[when])[positions, number], likelihoods
            )
        return np.where(days.isna(), 0.0, likelihoods)


def estimate_date_entry_habits(event_batches: Iterable[pd.DataFrame]) -> DateEntryHabits:
    """Estimate from the dates of events how each institution enters dates. event_batches: rows of the model `dated_event`, in batches.

    A date after the end of the period in which it was first delivered is an error. `_find_kinds_of_entry_error` says of which kind. An
    exchange of day and month can be detected only if the wrong date is after the end of that period; so the errors are compared with the
    number of dates that an exchange would move there (`exchangeable`). Possible dates are counted by lag and, if the event opens a case
    file, by the year in the number of that file.
    """
    return DateEntryHabits(
        _compute_rates_of_date_habits(
            pd.concat([_NOTHING_SEEN.iloc[:0], *map(_count_dates_by_habit, event_batches)]).groupby(level=0).sum()
        )
    )


def _count_dates_by_habit(events: pd.DataFrame) -> pd.DataFrame:
    """Count the dates of events of each institution by lag, by year in the file's number and by kind of error. events: rows of
    `dated_event`."""
    rows = describe_date_entries(events.reset_index(drop=True))
    date, last = rows["date"], rows["last"]
    possible = (date >= rows["earliest"]) & (date <= last)
    lag = pd.Series(
        np.where(rows["on_time"] & rows["first_quarter"].notna(), 0, _classify_entry_lag_of_each_event(rows, date)), index=rows.index
    )
    late, number = lag.between(1, LEFT_CENSORED - 1), pd.Series(_classify_years_between_event_and_file_number(rows, date), index=rows.index)
    kinds = _find_kinds_of_entry_error(rows[date > last]).reindex(rows.index)
    seen = {kind: kinds == kind for kind in ERRORS} | {
        "dates": date.notna(),
        "exchangeable": possible & (swap_day_and_month(date) > last),
    }
    seen |= {name: possible & (lag == n) for n, name in enumerate(LAG_COLUMNS)}
    for when, mine in (("on_time", ~late), ("late", late)):
        seen |= {name: possible & mine & (number == n) for n, name in enumerate(NUMBER_COLUMNS[when])}
    hits = pd.DataFrame({name: hit.fillna(False) for name, hit in seen.items()}).astype("int64")
    return hits.groupby(rows["institution"].astype("str")).sum()


def _find_kinds_of_entry_error(future: pd.DataFrame) -> pd.Series:
    """Return the kind of error of each date in `future`. These are dates after the end of the period in which they were first delivered.

    The kind is the first one (`exchanged`, then `year`) that explains the date by a day in that period; `other` if neither explains it by
    any day up to the end of the period; and null otherwise.
    """
    kind, none = pd.Series(None, index=future.index, dtype="str"), pd.Series(True, index=future.index)
    for name, _, day in iterate_days_explained_by_entry_errors(future["date"], future["last"]):
        kind = kind.mask(kind.isna() & (day >= future["starts"]) & (day <= future["last"]), name)
        none &= ~(day <= future["last"])
    return kind.mask(none, "other")


def _compute_rates_of_date_habits(counts: pd.DataFrame) -> pd.DataFrame:
    """Compute `DateEntryHabits.rates` from the numbers of dates of each kind. The expected numbers are added, and the sums are divided by
    the number of dates that were examined."""
    out = pd.DataFrame(index=counts.index)
    for kind, (of, expected, dates) in ERRORS.items():
        out[kind] = (counts[kind] + expected) / (counts[of] + DATES_EXPECTED) / dates
    distributions = (
        (LAG_COLUMNS, LAGS_EXPECTED, LAG_WIDTHS),
        *((NUMBER_COLUMNS[w], NUMBERS_EXPECTED[w], NUMBER_WIDTHS) for w in NUMBER_COLUMNS),
    )
    for names, some_expected, widths in distributions:
        seen = counts[list(names)] + list(some_expected)
        out[list(names)] = seen.div(seen.sum(axis=1), axis=0) / list(widths)
    return out.apply(np.log2).round().rpow(2.0)


_NOTHING_SEEN = pd.DataFrame(
    0, index=["a source"], columns=["dates", "exchangeable", *ERRORS, *LAG_COLUMNS, *sum(NUMBER_COLUMNS.values(), ())]
)
_EXPECTED = _compute_rates_of_date_habits(_NOTHING_SEEN).iloc[0]
"""The rates of an institution of which nothing is known."""
