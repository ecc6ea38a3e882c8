"""What a release should print, counted plainly from a warehouse by what docs/reference/releases.md says of the cube and the bridge."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import duckdb
import yaml

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")
TRAFFICKING = "trafficking"
OF_VICTIMS = ("victims_identified", "victims_referred", "victims_assisted", "victims_sheltered", "victims_represented")

Categories = dict[str, dict[str, list[str]]]


def years_of(of: str) -> list[str]:
    """The years that a table covers: one, or those of a window such as 2012/2014."""
    first, _, last = of.partition("/")
    return [str(year) for year in range(int(first), int(last or first) + 1)]


def published_categories(home: Path) -> Categories:
    """Which values of the warehouse each published category holds, as the signed policy of the home declares it."""
    policy = yaml.safe_load((home / "disclosure_policy.yaml").read_text(encoding="utf-8"))
    return {dimension: {name: list(values) for name, values in of.items()} for dimension, of in policy["categories"].items()}


class Warehouse:
    """The published warehouse of one run, and the figures that a release counts from it."""

    def __init__(self, path: Path, categories: Categories):
        self.path = path
        self.categories = categories
        self.tables = duckdb.connect(str(path), read_only=True)

    @cached_property
    def statistics(self) -> dict[tuple[str, ...], tuple[int | None, int | None]]:
        """As reported and harmonised, by indicator, period and the five dimensions."""
        rows = self.tables.sql(f"SELECT indicator, period, {', '.join(DIMENSIONS)}, as_reported, harmonised FROM statistics").fetchall()
        return {row[:7]: (row[7], row[8]) for row in rows}

    @cached_property
    def states(self) -> dict[tuple[str, str], tuple[bool, frozenset[str]]]:
        """Whether the figures of an indicator and period are incomplete, and which deliveries they lack."""
        total = " AND ".join(f"{dimension} = 'total'" for dimension in DIMENSIONS)
        rows = self.tables.sql(f"SELECT indicator, period, incomplete, missing FROM statistics WHERE {total}").fetchall()
        return {(indicator, period): (incomplete, named(missing)) for indicator, period, incomplete, missing in rows}

    @cached_property
    def quarters(self) -> dict[tuple[str, str, str], int]:
        """Units of the year by the quarter of the event with which they count in the year: indicator, year, Q1 to Q4; trafficking alone."""
        rows = self.tables.sql(
            "SELECT indicator, year(day)::text, 'Q' || quarter(day), count(*) FROM counted"
            f" WHERE counts_in_year AND offence_group = '{TRAFFICKING}' GROUP BY ALL"
        ).fetchall()
        return {(indicator, year, quarter): n for indicator, year, quarter, n in rows}

    @cached_property
    def bridge(self) -> dict[tuple[str, str], dict[str, int]]:
        """Causes of an indicator and period, over all institutions."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for indicator, period, cause, n in self.tables.sql(
            "SELECT indicator, period, cause, sum(n)::int FROM bridge GROUP BY ALL"
        ).fetchall():
            found.setdefault((indicator, period), {})[cause] = n
        return found

    @cached_property
    def coverage(self) -> dict[tuple[str, str], str]:
        rows = self.tables.sql("SELECT institution, period, state FROM coverage").fetchall()
        return {(institution, period): state for institution, period, state in rows}

    def _cell(self, indicator: str, measure: str, year: str, **values: str) -> int | None:
        key = (indicator, year, *(values.get(dimension, "total") for dimension in DIMENSIONS))
        if key not in self.statistics:
            crossed = len(values) > 1
            known = (indicator, year, *("total",) * 5) in self.statistics
            return 0 if crossed and known and self._cell(indicator, measure, year) is not None else None
        return self.statistics[key][measure == "harmonised"]

    def _values(self, dimension: str, part: str) -> list[str]:
        return self.categories[dimension][part]

    def figure(self, indicator: str, measure: str, table: str, year: str, cell: str) -> int | None:
        """The exact figure of a year that a row of the cube represents; None if nothing was delivered."""

        def cells(wanted: Iterable[dict[str, str]]) -> int | None:
            return _sum(self._cell(indicator, measure, year, **one) for one in wanted)

        total = self._cell(indicator, measure, year)
        if total is None:
            return None
        if table == "total":
            return total
        if table == "offence_group":
            trafficking = self._cell(indicator, measure, year, offence_group=TRAFFICKING)
            two_parts = measure == "as_reported" or indicator in OF_VICTIMS
            if two_parts and cell in ("rest", "other"):
                return None if trafficking is None else total - trafficking
            return cells({"offence_group": value} for part in cell.split("+") for value in self._values(table, part))
        if table == "quarter":
            return sum(self.quarters.get((indicator, year, part), 0) for part in cell.split("+"))
        if table == "sex_age_group":
            sexes, _, ages = cell.partition("|")
            return cells(
                {"offence_group": TRAFFICKING, "sex": sex, "age_group": age}
                for sexes_part in sexes.split("+")
                for sex in self._values("sex", sexes_part)
                for ages_part in ages.split("+")
                for age in self._values("age_group", ages_part)
            )
        return cells({"offence_group": TRAFFICKING, table: value} for part in cell.split("+") for value in self._values(table, part))

    def state(self, indicator: str, period: str) -> tuple[bool, frozenset[str]]:
        """Whether the figures of an indicator and period are incomplete, and which deliveries they lack."""
        return self.states.get((indicator, period), (False, frozenset()))


def named(missing: str | None) -> frozenset[str]:
    """The deliveries that a text such as `police 2013-Q3, courts 2013-Q4` names."""
    return frozenset(part.strip() for part in (missing or "").split(",") if part.strip())


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if any(value is None for value in found) else sum(value for value in found if value is not None)
