"""The table programme, which is read from the signed policy. It says which tables of each indicator are published, and in which categories.

Belongs here: the conversion to Python types of `disclosure_policy.yaml` and its checks. Does not belong here: the signature (`policy`), the
choice of merged categories (`merging_rule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harmonia.errors import HarmoniaError
from schemas.topic import topic
from warehouse.disclosure.merging_rule import MergingRule
from warehouse.indicators import DIMENSIONS, indicators

TOTAL, OFFENCE, QUARTER, SEX_AGE = "total", "offence_group", "quarter", "sex_age_group"
QUARTERS = ("Q1", "Q2", "Q3", "Q4")
LEADING, REST, UNKNOWN = topic().leading, "rest", "unknown"
HARMONISED, REPORTED = "harmonised", "as_reported"
CROSS_SEPARATOR, MERGE_SEPARATOR = "|", "+"
"""Separators in the name of a cell: between the dimensions of a crossed table; between merged categories."""
_MAX_COUNT = 10**6


class TableKey(NamedTuple):
    """One table: its indicator, measure, name and period (a year, or a window such as 2012/2014)."""

    indicator: str
    measure: str
    table: str
    period: str


class ProtectionThresholds(NamedTuple):
    """How the counts of a group of indicators are protected.

    threshold: the minimum count that is published separately. known_persons: the number of persons about whom an intruder may know
    everything.
    """

    threshold: int
    known_persons: int


@dataclass(frozen=True)
class PublishedTablesOfIndicator:
    """What is published for one indicator: the names of its tables (without the total and the table by offence), and its offence
    categories."""

    code: str
    group: str
    tables: tuple[str, ...]
    offences: tuple[str, ...]

    def tables_by_period(self, *, pooled: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of the tables of each year, and the names of the tables of a window. pooled: whether breakdowns are published
        for the whole window instead of each year."""
        by_year = () if pooled else tuple(t for t in self.tables if t != SEX_AGE)
        return by_year, tuple(t for t in self.tables if t == SEX_AGE or (pooled and t != QUARTER))


@dataclass(frozen=True)
class Programme:
    """The disclosure policy in the form of Python types.

    categories     for each dimension, the published categories in order
    category_of    for each dimension and each value in the warehouse, the published category
    revise_from    minimum difference that a revised figure must have from the same figure in an earlier release
    differ_from    minimum difference between a published harmonised figure and the published figure as reported
    after_months, patience_months, first_window, window_years, pool_below, public_already   as in `disclosure_policy.yaml`
    """

    indicators: Mapping[str, PublishedTablesOfIndicator]
    categories: Mapping[str, tuple[str, ...]]
    category_of: Mapping[str, Mapping[str, str]]
    groups: Mapping[str, ProtectionThresholds]
    revise_from: int
    differ_from: int
    after_months: int
    patience_months: int
    first_window: int
    window_years: int
    pool_below: int
    public_already: tuple[Mapping[str, Any], ...]

    def cells(self, key: TableKey) -> tuple[str, ...]:
        """Return the categories of a table, in order."""
        if key.table == TOTAL:
            return (TOTAL,)
        if key.table == OFFENCE:
            return self.indicators[key.indicator].offences if key.measure == HARMONISED else (LEADING, REST)
        if key.table == QUARTER:
            return QUARTERS
        if key.table == SEX_AGE:
            return tuple(f"{sex}{CROSS_SEPARATOR}{age}" for sex in self.categories["sex"] for age in self.categories["age_group"])
        return self.categories[key.table]

    def protection(self, indicator: str) -> ProtectionThresholds:
        """Return how counts of an indicator are protected."""
        return self.groups[self.indicators[indicator].group]

    def merging_rule(self, indicator: str, cells: tuple[str, ...], key: TableKey | None = None) -> MergingRule:
        """Return the merging rule for a table of that indicator with the categories `cells`. key: the table; it must be given if other
        organisations may have published figures of this table."""
        unknown_position = cells.index(UNKNOWN) if UNKNOWN in cells else None
        published_by_others = self.external_bounds(key) if key else {}
        bounds = tuple((cells.index(cell), *bound) for cell, bound in published_by_others.items() if cell in cells)
        return MergingRule(len(cells), *self.protection(indicator), unknown_position, bounds)

    def minimum_total(self, indicator: str) -> int:
        """Return the minimum total that is published. It is also the minimum number of records of a published cause of the bridge."""
        return self.merging_rule(indicator, (TOTAL,)).minimum_total

    def window_of(self, year: int) -> str:
        """Return the window that contains a year, in the form `2012/2014`."""
        first = self.first_window + (year - self.first_window) // self.window_years * self.window_years
        return f"{first}/{first + self.window_years - 1}"

    def external_bounds(self, key: TableKey) -> dict[str, tuple[int, int]]:
        """Return the minimum and the maximum of each cell of a table about which other organisations published something."""
        statements = (s for s in self.public_already if (s["indicator"], HARMONISED, s["table"], str(s["period"])) == key)
        return {
            str(s["category"]): (int(s.get("value", s.get("at_least", 0))), int(s.get("value", s.get("at_most", _MAX_COUNT))))
            for s in statements
        }


def list_years_of_window(window: str) -> tuple[str, ...]:
    """Return the years of a window. If a year is given instead of a window, return only that year."""
    first, last = window[:4], window[-4:]
    return tuple(str(year) for year in range(int(first), int(last) + 1))


def parse_programme(raw: Mapping[str, Any]) -> Programme:
    """Convert a policy that was read from YAML to a programme. Raises `HarmoniaError`, which names the error."""
    try:
        parsed = Programme(
            indicators={code: _parse_tables_of_indicator(code, entry, raw) for code, entry in raw["indicators"].items()},
            categories={dimension: tuple(categories) for dimension, categories in raw["categories"].items()},
            category_of={
                dimension: {value: category for category, values in categories.items() for value in values}
                for dimension, categories in raw["categories"].items()
            },
            groups={group: ProtectionThresholds(int(entry["threshold"]), int(entry["known"])) for group, entry in raw["groups"].items()},
            revise_from=int(raw["revise_from"]),
            differ_from=int(raw.get("differ_from", 6)),
            after_months=int(raw["breakdowns"]["after_months"]),
            patience_months=int(raw["breakdowns"]["patience_months"]),
            first_window=int(raw["windows"]["first"]),
            window_years=int(raw["windows"]["years"]),
            pool_below=int(raw["windows"]["pool_below"]),
            public_already=tuple(raw["public_already"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HarmoniaError(
            f"the disclosure policy cannot be read: {type(error).__name__} {error}; see docs/reference/releases.md"
        ) from None
    _check_programme(parsed)
    return parsed


def _parse_tables_of_indicator(code: str, entry: Mapping[str, Any], raw: Mapping[str, Any]) -> PublishedTablesOfIndicator:
    offences = tuple(entry.get("offences", raw["categories"]["offence_group"]))
    return PublishedTablesOfIndicator(code, entry["group"], tuple(entry["tables"]), offences)


def _check_programme(programme: Programme) -> None:
    """Raise `HarmoniaError` if the tables of a policy cannot be counted or protected."""
    problems = [f"indicator {code} is not defined" for code in programme.indicators if code not in indicators()]
    for dimension, values in DIMENSIONS.items():
        missing = sorted(set(values) - set(programme.category_of.get(dimension, {})))
        problems += [f"categories of {dimension} leave out {', '.join(missing)}"] if missing else []
    for code, entry in programme.indicators.items():
        tables = set(entry.tables)
        problems += [f"{code}: group {entry.group} has no threshold"] if entry.group not in programme.groups else []
        problems += [f"{code}: table {t} is unknown" for t in tables - {QUARTER, SEX_AGE, "sex", "age_group", "citizenship_group", "form"}]
        if entry.offences[:1] != (LEADING,):
            problems.append(f"{code}: the first offence category must be {LEADING}: no total is published without it")
        if SEX_AGE in tables and not {"sex", "age_group"} <= tables:
            problems.append(f"{code}: {SEX_AGE} goes with tables sex and age_group, which are not in its programme")
    problems += [
        f"group {g}: threshold {p.threshold} is below 3" for g, p in programme.groups.items() if p.threshold < 3 or p.known_persons < 0
    ]
    if problems:
        raise HarmoniaError(f"the disclosure policy cannot be applied: {'; '.join(problems)}")
