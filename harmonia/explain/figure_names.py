"""Find the figure that a user typed, e.g. `cases_registered 2013-Q2 offence_group=trafficking sex=male`.

Belongs here: parsing the text, looking up the published figure, error messages that list the valid choices. Does not belong here: the
records behind the figure (`figure_records`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.explain.published import PublishedHome
from harmonia.feedback.texts import make_visible
from warehouse.indicators import DIMENSIONS, Indicator, indicators
from warehouse.star.figures import CROSSED, TOTAL

_PERIOD = re.compile(r"\d{4}(-Q[1-4])?", re.ASCII)


@dataclass(frozen=True)
class Figure:
    """A published figure.

    breakdown: maps a dimension to its value; dimensions whose value is `total` are left out. as_reported, harmonised: the two values;
    None if no delivery could be read. missing: the deliveries that are missing, unreadable or partial and that the figure needs, as text.
    quarantined: number of quarantined rows in the deliveries of the figure.
    """

    indicator: Indicator
    period: str
    breakdown: Mapping[str, str]
    as_reported: int | None
    harmonised: int | None
    missing: str
    quarantined: int | None

    @property
    def name(self) -> str:
        """The name of the figure as it is typed on the command line."""
        return " ".join([self.indicator.code, self.period, *(f"{d}={v}" for d, v in self.breakdown.items())])

    @property
    def kind(self) -> str:
        """The kind of the figure's period: `quarter` or `year`."""
        return "quarter" if "-" in self.period else "year"


def parse_figure(home: PublishedHome, text: str) -> Figure:
    """Find the published figure that `text` names; brackets and commas in the text are ignored.

    Raises `HarmoniaError` with the valid choices if `text` names no published figure.
    """
    words = [w for w in re.split(r"[\s,\[\]]+", text.strip()) if w]
    if not words:
        raise HarmoniaError("name a figure, e.g. `cases_registered 2013-Q2 offence_group=trafficking`")
    indicator = _find_indicator(words[0])
    if len(words) < 2 or "=" in words[1]:
        raise HarmoniaError(f"{indicator.code}: add a year or a quarter; {_describe_published_periods(home)}")
    period = _find_period(home, words[1])
    breakdown = _parse_breakdown(indicator, words[2:])
    return _read_published_figure(home, indicator, period, breakdown)


def _find_indicator(text: str) -> Indicator:
    indicator = indicators().get(text)
    if indicator is None:
        raise HarmoniaError(f"“{make_visible(text)}” is not an indicator: use one of {', '.join(indicators())}")
    return indicator


def _find_period(home: PublishedHome, text: str) -> str:
    period = text.upper()
    if not _PERIOD.fullmatch(period):
        raise HarmoniaError(
            f"“{make_visible(text)}” is not a period: a year looks like 2013, a quarter like 2013-Q2; {_describe_published_periods(home)}"
        )
    published = home.query("SELECT count(*) AS n FROM statistics WHERE period = ?", [period])["n"].iloc[0]
    if not published:
        raise HarmoniaError(f"nothing is published for {period}: it has no delivery; {_describe_published_periods(home)}")
    return period


def _describe_published_periods(home: PublishedHome) -> str:
    quarters = home.query("SELECT min(period) AS first, max(period) AS last FROM statistics WHERE length(period) = 7").iloc[0]
    return "no period is published" if pd.isna(quarters["first"]) else f"{home.folder} has {quarters['first']} to {quarters['last']}"


def _parse_breakdown(indicator: Indicator, words: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for word in words:
        dimension, equals, value = word.partition("=")
        if not equals or dimension not in DIMENSIONS:
            raise HarmoniaError(
                f"“{make_visible(word)}” is not a breakdown: type dimension=value with one of {', '.join(indicator.dimensions)}"
            )
        if value == TOTAL:
            continue
        if dimension not in indicator.dimensions:
            raise HarmoniaError(f"{indicator.code} is not broken down by {dimension}, only by {', '.join(indicator.dimensions)}")
        if value not in DIMENSIONS[dimension]:
            raise HarmoniaError(f"“{make_visible(value)}” is not a value of {dimension}: use one of {', '.join(DIMENSIONS[dimension])}")
        out[dimension] = value
    combination = tuple(d for d in DIMENSIONS if d in out)
    if len(combination) > 1 and not any(set(combination) == set(crossing) for crossing in CROSSED):
        crossings = "; ".join(" × ".join(c) for c in CROSSED if set(c) <= set(indicator.dimensions))
        raise HarmoniaError(
            f"{' × '.join(combination)} is not published for {indicator.code}: published are single dimensions, and {crossings}"
        )
    return {d: out[d] for d in combination}


def _read_published_figure(home: PublishedHome, indicator: Indicator, period: str, breakdown: Mapping[str, str]) -> Figure:
    """Read a figure from the table `statistics`.

    If the table has no row for a breakdown, the figure is 0; if the total is null, it is null (docs/reference/counting-rules.md).
    """
    values = [breakdown.get(d, TOTAL) for d in DIMENSIONS]
    where = " AND ".join(f"{d} = ?" for d in DIMENSIONS)
    query = f"SELECT as_reported, harmonised, missing, quarantined FROM statistics WHERE indicator = ? AND period = ? AND {where}"
    rows = home.query(query, [indicator.code, period, *values])
    total = home.query(query, [indicator.code, period, *[TOTAL] * len(DIMENSIONS)]).iloc[0]
    row = rows.iloc[0] if len(rows) else total.where(total.isna(), 0)
    missing = "" if pd.isna(total["missing"]) else str(total["missing"])
    numbers = [None if pd.isna(row[c]) else int(row[c]) for c in ("as_reported", "harmonised")]
    quarantined = None if pd.isna(total["quarantined"]) else int(total["quarantined"])
    return Figure(indicator, period, breakdown, numbers[0], numbers[1], missing, quarantined)
