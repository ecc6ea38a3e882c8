"""How a source enters its dates: how late, and how often with an error. Estimated from its own deliveries only.

Belongs here: lags between an event and its first delivery, the year in a file's number, detectable errors, and the likelihood of a day.
Does not belong here: which dates contradict each other, which day is imputed (`dates`).
Method: counts of unambiguous cases plus a few expected counts for an unknown source (a Dirichlet and a Beta prior).
docs/explanation/dates.md has the tables and an example.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sources import contract
from warehouse.count.periods import period_end, period_middle, period_start, quarter_index, quarter_of

OLDEST = 80
"""Maximum years from an event to its delivery: registers open cases of offences that are decades old, but not a century."""
OPENING = ("reported", "received_prosecution", "received_court")
"""Events that open a file: its number contains the year in which it was opened (docs/reference/deliveries.md)."""
YEARS_BACK, MONTHS = 12, 12
"""How many years back a year is searched; months of a year."""

LAGS = (0, 1, 2, 5, 9)
"""Quarters from an event to its first delivery: none, one, two to four, five to eight, more."""
BEFORE = len(LAGS)
"""The lag of an event before the institution's first delivery (left-censored)."""
LAGS_OF = tuple(f"lag_{n}" for n in range(BEFORE + 1))
LAG_WIDTHS = (1, 1, 3, 4, 12, 12)
LAGS_EXPECTED = (45.0, 2.0, 1.0, 0.5, 0.25, 1.25)
NUMBER_WIDTHS = (1, 1, 8, 8)
"""Years from an event that opens a file to the year in the file's number: none, one, more, negative."""
NUMBERS_EXPECTED = {"on_time": (46.0, 2.0, 1.0, 1.0), "late": (25.0, 20.0, 3.0, 2.0)}
NUMBERS_OF = {when: tuple(f"number_{when}_{n}" for n in range(4)) for when in NUMBERS_EXPECTED}
MISTAKES = {"exchanged": ("exchangeable", 0.5, 1), "year": ("dates", 0.5, 9), "other": ("dates", 0.1, 100)}
"""Kinds of errors: the dates among which they are counted, how many are expected in `DATES_EXPECTED` of these, and how many dates an error
can produce from one: one exchanged date, nine years that differ in a digit, and any other day, in quarters."""
DATES_EXPECTED = 500


def event_steps(events: pd.DataFrame) -> pd.Series:
    """Return the step of each event: its name; for `received` also the receiver, the prosecution or a court."""
    court = (events["event"] == "received") & events["institution"].isin(contract.at("courts"))
    prosecution = (events["event"] == "received") & events["institution"].isin(contract.at("prosecution"))
    return events["event"].mask(court, "received_court").mask(prosecution, "received_prosecution")


def event_entries(events: pd.DataFrame) -> pd.DataFrame:
    """Describe how each event was entered. In: events of the model `dated_event`.

    Columns out: institution, step, date, number_year, begins; first_quarter: the quarter in which it happened by its first delivery, at
    the earliest (null if that does not show it, and for an offence, which may be old when it is reported); starts, middle, last: days
    of the period in which the date was first delivered; earliest: 1 January, `OLDEST` years before; month: only the month of the date is
    known;
    on_time: the date is in a period in which the event was first delivered, or in one that was not completely delivered (whose
    events come later).
    """
    days, last = events["date"], period_end(events["first_same_period"])
    starts = period_start(events["first_same_period"])
    seen = [(days >= period_start(events[c])) & (days <= period_end(events[c])) for c in ("first_same_period", "first_period")]
    return pd.DataFrame(
        {
            "step": event_steps(events).astype("category"),
            **{name: events[name] for name in ("institution", "date", "number_year", "begins")},
            "first_quarter": quarter_of(starts).mask(events["left_censored"] | (events["event"] == "offence")),
            "starts": starts,
            "middle": period_middle(events["first_same_period"]),
            "last": last,
            "earliest": pd.Series((last.to_numpy("datetime64[Y]") - OLDEST).astype("datetime64[s]"), index=events.index),
            "month": events["date_precision"].eq("month") if "date_precision" in events else False,
            "on_time": seen[0] | seen[1] | (~events["covered"] & (days >= events["begins"])),
        }
    )


def _date_of(year: pd.Series, month: pd.Series, day: pd.Series) -> pd.Series:
    """Return the date of a year, a month and a day; null for a date that does not exist, such as 29 February of a common year."""
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


def exchange_day_and_month(dates: pd.Series) -> pd.Series:
    """Exchange day and month of each date; null if the result is not a date, or is the same date."""
    found = _date_of(dates.dt.year, dates.dt.day, dates.dt.month)
    return found.mask(found == dates)


def possible_errors(dates: pd.Series, latest: pd.Series) -> Iterator[tuple[str, int, pd.Series]]:
    """The days that one error can have turned into each date, with the kind of error and the years back from the year of `latest`: day
    and month exchanged, then one digit of the year, from that year back."""
    yield "exchanged", 0, exchange_day_and_month(dates)
    for back in range(YEARS_BACK + 1):
        year = latest.dt.year - back
        yield "year", back, _date_of(year, dates.dt.month, dates.dt.day).where(_one_digit_off(year, dates.dt.year))


def _lag_class(rows: pd.DataFrame, days: pd.Series) -> np.ndarray:
    """Return the index in `LAGS` of the delay of each day, or `BEFORE`; -1 if the first delivery does not show the delay."""
    quarters = quarter_index(rows["first_quarter"]) - (days.dt.year * 4 + days.dt.quarter - 1)
    found = np.searchsorted(LAGS, quarters.fillna(0).clip(lower=0).to_numpy("int64"), side="right") - 1
    found = np.where((days < rows["begins"]).to_numpy(), BEFORE, found)
    return np.where(rows["first_quarter"].isna() | days.isna(), -1, found)


def _number_class(rows: pd.DataFrame, days: pd.Series) -> np.ndarray:
    """Return the index in `NUMBER_WIDTHS` of each day; -1 if the event does not open a file that has a year in its number."""
    off = (rows["number_year"] - days.dt.year).where(rows["step"].isin(OPENING))
    years = off.fillna(0).to_numpy("int64")
    return np.where(off.isna(), -1, np.where(years < 0, 3, np.minimum(years, 2)))


@dataclass(frozen=True)
class DateHabits:
    """How sources enter dates. rates: by institution (index), powers of two, so that a further delivery rarely changes one. Columns:

    exchanged, year, other  how often a date has this error and becomes exactly the delivered one
    lag_*                   share of events with this lag, per quarter
    number_*                share of files whose number is this many years after the event, per year, by on time and late
    """

    rates: pd.DataFrame

    def of(self, institution: pd.Series, names: tuple[str, ...]) -> np.ndarray:
        """The rates with these names, one row per institution."""
        return self.rates[list(names)].reindex(institution).fillna(_EXPECTED).to_numpy()

    def likelihood(self, rows: pd.DataFrame, days: pd.Series, *, delivered: bool = False) -> np.ndarray:
        """Likelihood of each day for its event (from `event_entries`): by the quarter of its first delivery and the year in its file's
        number.

        0 if there is no day; delivered: the days are the delivered dates, for which `on_time` is known.
        """
        lag, number, place = _lag_class(rows, days), _number_class(rows, days), np.arange(len(rows))
        if delivered:
            lag = np.where(rows["on_time"].to_numpy() & (lag >= 0), 0, lag)
        found = np.where(lag < 0, 1.0, self.of(rows["institution"], LAGS_OF)[place, lag])
        late = (lag > 0) & (lag < BEFORE)
        for when, mine in (("on_time", ~late), ("late", late)):
            found = np.where((number >= 0) & mine, found * self.of(rows["institution"], NUMBERS_OF[when])[place, number], found)
        return np.where(days.isna(), 0.0, found)


def observe_habits(parts: Iterable[pd.DataFrame]) -> DateHabits:
    """Count how the dates of events (of the model `dated_event`, in parts) were entered.

    A date after the end of the quarter of its first delivery is an error: `exchanged` or `year` if only that error moves it into that
    quarter, `other` if no single error gives an earlier day. `exchangeable` dates would be after it if day and month were exchanged: only
    in these an exchange is detectable. Possible dates are counted by lag, and by the year in the number of the file they open.
    """
    return DateHabits(_habit_rates(pd.concat([_NOTHING_SEEN.iloc[:0], *map(_count_habits, parts)]).groupby(level=0).sum()))


def _count_habits(events: pd.DataFrame) -> pd.DataFrame:
    """Count each habit of entering dates, by institution (index)."""
    rows = event_entries(events.reset_index(drop=True))
    date, last = rows["date"], rows["last"]
    possible = (date >= rows["earliest"]) & (date <= last)
    lag = pd.Series(np.where(rows["on_time"] & rows["first_quarter"].notna(), 0, _lag_class(rows, date)), index=rows.index)
    late, number = lag.between(1, BEFORE - 1), pd.Series(_number_class(rows, date), index=rows.index)
    kinds = _kinds_of_error(rows[date > last]).reindex(rows.index)
    seen = {kind: kinds == kind for kind in MISTAKES} | {
        "dates": date.notna(),
        "exchangeable": possible & (exchange_day_and_month(date) > last),
    }
    seen |= {name: possible & (lag == n) for n, name in enumerate(LAGS_OF)}
    for when, mine in (("on_time", ~late), ("late", late)):
        seen |= {name: possible & mine & (number == n) for n, name in enumerate(NUMBERS_OF[when])}
    hits = pd.DataFrame({name: hit.fillna(False) for name, hit in seen.items()}).astype("int64")
    return hits.groupby(rows["institution"].astype("str")).sum()


def _kinds_of_error(future: pd.DataFrame) -> pd.Series:
    """The kind of error of dates after the end of the quarter of their first delivery; null if ambiguous."""
    kind, none = pd.Series(None, index=future.index, dtype="str"), pd.Series(True, index=future.index)
    for name, _, day in possible_errors(future["date"], future["last"]):
        kind = kind.mask(kind.isna() & (day >= future["starts"]) & (day <= future["last"]), name)
        none &= ~(day <= future["last"])
    return kind.mask(none, "other")


def _habit_rates(counts: pd.DataFrame) -> pd.DataFrame:
    """`Habits.rates` from counts: (counts + expected counts) / all of their kind."""
    out = pd.DataFrame(index=counts.index)
    for kind, (of, expected, dates) in MISTAKES.items():
        out[kind] = (counts[kind] + expected) / (counts[of] + DATES_EXPECTED) / dates
    of_one = ((LAGS_OF, LAGS_EXPECTED, LAG_WIDTHS), *((NUMBERS_OF[w], NUMBERS_EXPECTED[w], NUMBER_WIDTHS) for w in NUMBERS_OF))
    for names, some_expected, widths in of_one:
        seen = counts[list(names)] + list(some_expected)
        out[list(names)] = seen.div(seen.sum(axis=1), axis=0) / list(widths)
    return out.apply(np.log2).round().rpow(2.0)


_NOTHING_SEEN = pd.DataFrame(0, index=["a source"], columns=["dates", "exchangeable", *MISTAKES, *LAGS_OF, *sum(NUMBERS_OF.values(), ())])
_EXPECTED = _habit_rates(_NOTHING_SEEN).iloc[0]
"""The rates of an unknown source."""
