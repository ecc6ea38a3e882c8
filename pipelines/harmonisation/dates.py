"""Dates as people write them: reading a date from a text, with its precision and with what is wrong with its form.

Does not belong here: whether a date is plausible (for example not in the future), and what 1 January means; the caller decides that.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from zoneinfo import ZoneInfo

import pandas as pd

from pipelines.harmonisation.letters import fold_text, map_values_to_frame, tidy_text
from schemas import domain
from sources.contract import DateFormat

COLUMNS = {"date": "datetime64[s]", "year": "Int64", "precision": "str", "problem": "str"}
PROBLEMS = ("impossible", "unreadable", "two_digit_year", "other_format", "not_permitted_year")

Parsed = tuple[dt.datetime | None, int | None, str | None, str | None]

_TIME = r"(?:[T\s]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?"
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})" + _TIME)
_MOMENT = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[T\s](\d{1,2}):(\d{2})(?::\d{2}(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?")
_YEAR_FIRST = re.compile(r"(\d{4})\s*[./]\s*(\d{1,2})\s*[./]\s*(\d{1,2})" + _TIME)
_DAY_FIRST = re.compile(r"(\d{1,2})\s*([./,-])\s*(\d{1,2})\s*[./,-]\s*(\d{4}|\d{2})" + _TIME)
_COMPACT = re.compile(r"(?:(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})|(?P<d2>\d{2})(?P<m2>\d{2})(?P<y2>(?:19|20)\d{2}))(?:\.0+)?")
_SERIAL = re.compile(r"([1-9]\d{4})(?:[.,]\d+)?")
_YEAR = re.compile(r"(1[89]\d{2}|2[01]\d{2})(?:[.,]0+)?")
_MONTH_YEAR = re.compile(r"(?:(?P<m>\d{1,2})\s*(?P<dmy>[./-])\s*(?P<y>\d{4})|(?P<y2>\d{4})\s*(?P<iso>[./-])\s*(?P<m2>\d{1,2}))")
_WORDS_DAY_FIRST = re.compile(r"(\d{1,2})[\s.,-]*([a-z]{3,})[\s.,-]*(\d{4}|\d{2})")
_WORDS_MONTH_FIRST = re.compile(r"([a-z]{3,})[\s.]*(\d{1,2})\s*,?\s+(\d{4})")

# First letters of month names in Albanian, Serbian and English, folded.
_MONTH_NAMES = (
    "jan",
    "shk feb",
    "mar",
    "pri apr",
    "maj may",
    "qer jun",
    "kor jul",
    "gus avg aug",
    "sht sep",
    "tet okt oct",
    "nen nov",
    "dhj dec",
)
_MONTHS = {start: month for month, starts in enumerate(_MONTH_NAMES, 1) for start in starts.split()}
_EXCEL_ZERO = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - dates here have no zone
SEPARATORS = {"dmy": ".", "dmy/": "/", "dmy-": "-"}
_HOURS, _MINUTES = 24, 60
MIDDLE_OF_MONTH = 15  # the day used if only the month is known; it cannot be mistaken for a month
_PIVOT = 30  # if `latest` is not given, the years 00 to 30 mean 2000 to 2030


def parse_dates(
    text: pd.Series,
    *,
    format: DateFormat = "dmy",
    year_only: bool = False,
    month_only: bool = False,
    latest: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Read a date from each text. No text makes this raise an error.

    `text` is null or empty if nothing was delivered. `format` is the agreed form; `utc` means a point in time, of which the day in the
    country counts; `year` means a year alone. `year_only` says whether a year alone is permitted, and `month_only` whether a month with its
    year is permitted. `latest` is the end of the delivered period: a two-digit year means the latest year for which the date is not after
    it.

    The result has the index of `text` and these columns:

    - `date`: the day (datetime64[s]); the middle of the month (`MIDDLE_OF_MONTH`) if only a month is written and permitted
    - `year`: the year, even if the day is impossible or missing
    - `precision`: `day`; `month` or `year` if only these are written and permitted; null if the text is not a date
    - `problem`: null, `impossible` (31.02.), `unreadable`, `two_digit_year`, `not_permitted_year`, or `other_format` (the date could be
      read but does not have the agreed form: an Excel serial number, a month in words, an ISO date where the day should come first)
    """
    end = None if latest is None or pd.isna(latest) else latest.to_pydatetime().replace(tzinfo=None)
    return map_values_to_frame(text, lambda value: _parse_date(value, format, year_only, month_only, end), COLUMNS)


def find_first_possible_day(dates: pd.Series, precision: pd.Series) -> pd.Series:
    """Return the first day that each date can mean: the first day of the month if only the month is known (`precision`)."""
    return dates.mask(precision == "month", dates - pd.Timedelta(days=MIDDLE_OF_MONTH - 1))


def find_last_possible_day(dates: pd.Series, precision: pd.Series) -> pd.Series:
    """Return the last day that each date can mean: the last day of the month if only the month is known (`precision`)."""
    return dates.mask(precision == "month", dates + pd.offsets.MonthEnd(0))


def _parse_date(text: str, agreed_format: str, year_only: bool, month_only: bool, latest_day: dt.datetime | None) -> Parsed:
    """Return date, year, precision and problem of one text, as `parse_dates` describes them."""
    value = tidy_text(text).strip(" .,;'\"")
    if not value:
        return None, None, None, None
    if agreed_format == "utc" and (match := _MOMENT.fullmatch(value)):
        return _read_timestamp(match)
    if match := _ISO.fullmatch(value):
        return _make_date_from_parts(match[1], match[2], match[3], None if agreed_format == "iso" else "other_format", latest_day)
    if match := _DAY_FIRST.fullmatch(value):
        as_agreed = match[2] == SEPARATORS.get(agreed_format)
        return _make_date_from_parts(match[4], match[3], match[1], None if as_agreed else "other_format", latest_day)
    if match := _YEAR.fullmatch(value):
        return (
            (None, int(match[1]), "year", None)
            if year_only or agreed_format == "year"
            else (None, int(match[1]), None, "not_permitted_year")
        )
    if month_only and (match := _MONTH_YEAR.fullmatch(value)):
        return _read_month_and_year(match, agreed_format)
    if match := _YEAR_FIRST.fullmatch(value):
        return _make_date_from_parts(match[1], match[2], match[3], "other_format", latest_day)
    if match := _COMPACT.fullmatch(value):
        return _make_date_from_parts(
            match["y"] or match["y2"], match["m"] or match["m2"], match["d"] or match["d2"], "other_format", latest_day
        )
    if match := _SERIAL.fullmatch(value):
        day = _EXCEL_ZERO + dt.timedelta(days=int(match[1]))
        return day, day.year, "day", "other_format"
    return _read_date_with_month_name(fold_text(value), latest_day) or _make_unreadable_date(value)


def _make_date_from_parts(year: str, month: str, day: str, problem: str | None, latest_day: dt.datetime | None) -> Parsed:
    """Return the date with this year, month and day. If there is no such day, return its year and the problem `impossible`."""
    full_year = int(year)
    if len(year) == 2:
        problem = "two_digit_year"
        full_year = _complete_two_digit_year(full_year, int(month), int(day), latest_day)
    try:
        return dt.datetime(full_year, int(month), int(day)), full_year, "day", problem  # noqa: DTZ001
    except ValueError:
        return None, full_year or None, None, "impossible"


def _read_timestamp(match: re.Match[str]) -> Parsed:
    """Return the day of a point in time, in the country's time zone. If the text does not name a time zone, it is in UTC."""
    day = _make_date_from_parts(match[1], match[2], match[3], None if match[6] else "other_format", None)
    hour, minute, offset = int(match[4]), int(match[5]), match[6] or "Z"
    if day[0] is None or hour >= _HOURS or minute >= _MINUTES:
        return day if day[0] is None else (None, day[1], None, "impossible")
    shift = (
        dt.timedelta()
        if offset == "Z"
        else dt.timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:])) * (-1 if offset[0] == "-" else 1)
    )
    moment = dt.datetime.combine(day[0].date(), dt.time(hour, minute), dt.UTC) - shift
    local = moment.astimezone(_get_country_time_zone())
    return dt.datetime(local.year, local.month, local.day), local.year, "day", day[3]  # noqa: DTZ001


@cache
def _get_country_time_zone() -> ZoneInfo:
    return ZoneInfo(domain.country().time_zone)


def _read_month_and_year(match: re.Match[str], agreed_format: str) -> Parsed:
    """Return a day in the middle of the month that the text names, with the precision `month`."""
    as_agreed = match["iso"] == "-" if agreed_format == "iso" else match["dmy"] == SEPARATORS.get(agreed_format, "")
    day, year, precision, problem = _make_date_from_parts(
        match["y"] or match["y2"], match["m"] or match["m2"], str(MIDDLE_OF_MONTH), None, None
    )
    return day, year, precision and "month", problem or (None if as_agreed else "other_format")


def _complete_two_digit_year(year: int, month: int, day: int, latest_day: dt.datetime | None) -> int:
    """Return the latest year with these last two digits for which the date is not after `latest_day`."""
    if latest_day is None:
        return 2000 + year if year <= _PIVOT else 1900 + year
    return 2000 + year if (2000 + year, month, day) <= (latest_day.year, latest_day.month, latest_day.day) else 1900 + year


def _read_date_with_month_name(value: str, latest_day: dt.datetime | None) -> Parsed | None:
    """Read a date whose month is written in words; return None if the text is no such date."""
    if match := _WORDS_DAY_FIRST.fullmatch(value):
        day, name, year = match.groups()
    elif match := _WORDS_MONTH_FIRST.fullmatch(value):
        name, day, year = match.groups()
    else:
        return None
    month = _MONTHS.get(name[:3])
    return _make_date_from_parts(year, str(month), day, "other_format", latest_day) if month else None


def _make_unreadable_date(value: str) -> Parsed:
    """Return the problem `unreadable`, with the year if the text at least has a month and a year."""
    match = _MONTH_YEAR.fullmatch(value)
    return None, int(match["y"] or match["y2"]) or None if match else None, None, "unreadable"
