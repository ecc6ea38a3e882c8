"""The calendar of deliveries. A period is a month (`2013-04`), a quarter (`2013-Q2`), a half-year (`2013-H1`) or a year (`2013`).

Belongs here: days and names of periods. Does not belong here: calculations on columns of days (`warehouse.count.periods`,
`models/macros.sql`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from typing import Literal, get_args

Cadence = Literal["monthly", "quarterly", "half_yearly", "yearly"]
CADENCES: tuple[Cadence, ...] = get_args(Cadence)
MONTHS: Mapping[Cadence, int] = {"monthly": 1, "quarterly": 3, "half_yearly": 6, "yearly": 12}
"""The number of months in a period of each cadence."""
PERIODS: Mapping[Cadence, str] = {"monthly": "(?:0[1-9]|1[0-2])", "quarterly": "Q[1-4]", "half_yearly": "H[12]", "yearly": ""}
"""For each cadence: a pattern of what follows the year in the name of a period."""
EXAMPLES: Mapping[Cadence, str] = {"monthly": "2013-04", "quarterly": "2013-Q2", "half_yearly": "2013-H1", "yearly": "2013"}
_YEAR = "(?:19|20)[0-9]{2}"


def period_name_pattern(cadence: Cadence) -> str:
    """Return the regular expression that the names of the periods of a cadence match."""
    return _YEAR if cadence == "yearly" else f"{_YEAR}-{PERIODS[cadence]}"


@cache
def cadence_of(period: str) -> Cadence:
    """Return the cadence of a period, which follows from its name. Raises `ValueError` if the name is not that of a period."""
    for cadence in CADENCES:
        if re.fullmatch(period_name_pattern(cadence), period):
            return cadence
    raise ValueError(f"{period!r} is not a period; expected e.g. {', '.join(EXAMPLES.values())}")


@cache
def first_day(period: str) -> date:
    """Return the first day of a period. Raises `ValueError` if the name is not that of a period."""
    return date(int(period[:4]), _first_month(period), 1)


@cache
def last_day(period: str) -> date:
    """Return the last day of a period. Raises `ValueError` if the name is not that of a period."""
    months = int(period[:4]) * 12 + _first_month(period) - 1 + MONTHS[cadence_of(period)]
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)


def _first_month(period: str) -> int:
    cadence = cadence_of(period)
    if cadence == "monthly":
        return int(period[5:])
    return 1 if cadence == "yearly" else (int(period[6:]) - 1) * MONTHS[cadence] + 1


@cache
def running_number_of_period(period: str) -> int:
    """Return the running number of a period among the periods of its cadence. The first period of 1900 has the number 0."""
    return ((int(period[:4]) - 1900) * 12 + _first_month(period) - 1) // MONTHS[cadence_of(period)]


def period_containing(day: date, cadence: Cadence) -> str:
    """Return the period of a cadence that contains a day."""
    n = (day.month - 1) // MONTHS[cadence] + 1
    return {"monthly": f"{day.year}-{n:02}", "quarterly": f"{day.year}-Q{n}", "half_yearly": f"{day.year}-H{n}", "yearly": f"{day.year}"}[
        cadence
    ]


def previous_period(period: str) -> str:
    """Return the period before a period, of the same cadence."""
    return period_containing(first_day(period) - timedelta(days=1), cadence_of(period))


def following_period(period: str) -> str:
    """Return the period after a period, of the same cadence."""
    return period_containing(last_day(period) + timedelta(days=1), cadence_of(period))


def year_before(period: str) -> str:
    """Return the same period one year earlier."""
    return f"{int(period[:4]) - 1}{period[4:]}"


def periods_between(first: date, last: date, cadence: Cadence) -> list[str]:
    """Return the periods of a cadence that have at least one day from `first` to `last`, in order."""
    names = []
    while first <= last:
        names.append(period_containing(first, cadence))
        first = last_day(names[-1]) + timedelta(days=1)
    return names


@cache
def quarters_of(period: str) -> tuple[str, ...]:
    """Return the quarters that have at least one day in a period, in order."""
    return tuple(periods_between(first_day(period), last_day(period), "quarterly"))


def overlapping_periods(period: str, cadence: Cadence) -> list[str]:
    """Return the periods of a cadence that have at least one day in `period`, in order."""
    return periods_between(first_day(period), last_day(period), cadence)
