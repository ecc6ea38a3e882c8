"""The table programme: which tables of each indicator are published, in which categories; read from the signed policy.

Belongs here: the typed form of `disclosure_policy.yaml` and its checks. Does not belong here: the signature (`policy`), the choice of
merged categories (`rule`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipelines.errors import HarmoniaError
from warehouse.disclosure.rule import Rule
from warehouse.indicators import DIMENSIONS, indicators

TOTAL, OFFENCE, QUARTER, CROSSED = "total", "offence_group", "quarter", "sex_age_group"
QUARTERS = ("Q1", "Q2", "Q3", "Q4")
TRAFFICKING, REST, UNKNOWN = "trafficking", "rest", "unknown"
HARMONISED, REPORTED = "harmonised", "as_reported"
ACROSS, JOINED = "|", "+"
"""Separators in the name of a cell: between the dimensions of a crossed table; between merged categories."""
_MOST = 10**6


class Key(NamedTuple):
    """One table: its indicator, measure, name and period (a year, or a window such as 2012/2014)."""

    indicator: str
    measure: str
    table: str
    period: str


@dataclass(frozen=True)
class Indicator:
    """What is published for one indicator: its tables besides total and offence, its offence categories."""

    code: str
    group: str
    tables: tuple[str, ...]
    offences: tuple[str, ...]

    def of_period(self, *, pooled: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Tables of each year and of a window, for a pooled and a non-pooled window."""
        by_year = () if pooled else tuple(t for t in self.tables if t != CROSSED)
        return by_year, tuple(t for t in self.tables if t == CROSSED or (pooled and t != QUARTER))


@dataclass(frozen=True)
class Programme:
    """The policy, typed.

    mapping      dimension → warehouse value → published category
    groups       group → (threshold, known)
    revise_from  minimum published difference from an earlier release
    differ_from  minimum published difference between harmonised and reported
    """

    indicators: Mapping[str, Indicator]
    categories: Mapping[str, tuple[str, ...]]
    mapping: Mapping[str, Mapping[str, str]]
    groups: Mapping[str, tuple[int, int]]
    revise_from: int
    differ_from: int
    after_months: int
    patience_months: int
    first_window: int
    window_years: int
    pool_below: int
    public_already: tuple[Mapping[str, Any], ...]

    def cells(self, key: Key) -> tuple[str, ...]:
        """The categories of a table, in order."""
        if key.table == TOTAL:
            return (TOTAL,)
        if key.table == OFFENCE:
            return self.indicators[key.indicator].offences if key.measure == HARMONISED else (TRAFFICKING, REST)
        if key.table == QUARTER:
            return QUARTERS
        if key.table == CROSSED:
            return tuple(f"{sex}{ACROSS}{age}" for sex in self.categories["sex"] for age in self.categories["age_group"])
        return self.categories[key.table]

    def rule(self, indicator: str, cells: tuple[str, ...], key: Key | None = None) -> Rule:
        """The rule for a table of that indicator with those categories. key: the table, of which others may have published figures."""
        threshold, known = self.groups[self.indicators[indicator].group]
        unknown = cells.index(UNKNOWN) if UNKNOWN in cells else None
        said = tuple((cells.index(cell), *bounds) for cell, bounds in (self.said(key) if key else {}).items() if cell in cells)
        return Rule(len(cells), threshold, known, unknown, said)

    def floor(self, indicator: str) -> int:
        """Minimum published total, and minimum published cause."""
        return self.rule(indicator, (TOTAL,)).floor

    def window(self, year: int) -> str:
        """The window that contains a year, as `2012/2014`."""
        first = self.first_window + (year - self.first_window) // self.window_years * self.window_years
        return f"{first}/{first + self.window_years - 1}"

    def said(self, key: Key) -> dict[str, tuple[int, int]]:
        """What others published about cells of a table: minimum, maximum."""
        mine = (one for one in self.public_already if (one["indicator"], HARMONISED, one["table"], str(one["period"])) == key)
        return {
            str(one["category"]): (int(one.get("value", one.get("at_least", 0))), int(one.get("value", one.get("at_most", _MOST))))
            for one in mine
        }


def years_of(window: str) -> tuple[str, ...]:
    """The years of a window; a year itself."""
    first, last = window[:4], window[-4:]
    return tuple(str(year) for year in range(int(first), int(last) + 1))


def programme(raw: Mapping[str, Any]) -> Programme:
    """Convert a policy read from YAML. Raises `HarmoniaError` naming the error."""
    try:
        mapping = {d: {value: cell for cell, values in cells.items() for value in values} for d, cells in raw["categories"].items()}
        found = Programme(
            indicators={code: _indicator(code, said, raw) for code, said in raw["indicators"].items()},
            categories={d: tuple(cells) for d, cells in raw["categories"].items()},
            mapping=mapping,
            groups={group: (int(said["threshold"]), int(said["known"])) for group, said in raw["groups"].items()},
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
    _check(found)
    return found


def _indicator(code: str, said: Mapping[str, Any], raw: Mapping[str, Any]) -> Indicator:
    offences = tuple(said.get("offences", raw["categories"]["offence_group"]))
    return Indicator(code, said["group"], tuple(said["tables"]), offences)


def _check(found: Programme) -> None:
    """Refuse a policy that cannot be protected or counted."""
    problems = [f"indicator {code} is not defined" for code in found.indicators if code not in indicators()]
    for dimension, values in DIMENSIONS.items():
        lost = sorted(set(values) - set(found.mapping.get(dimension, {})))
        problems += [f"categories of {dimension} leave out {', '.join(lost)}"] if lost else []
    for code, said in found.indicators.items():
        tables = set(said.tables)
        problems += [f"{code}: group {said.group} has no threshold"] if said.group not in found.groups else []
        problems += [f"{code}: table {t} is unknown" for t in tables - {QUARTER, CROSSED, "sex", "age_group", "citizenship_group", "form"}]
        if said.offences[:1] != (TRAFFICKING,):
            problems.append(f"{code}: the first offence category must be {TRAFFICKING}: no total is published without it")
        if CROSSED in tables and not {"sex", "age_group"} <= tables:
            problems.append(f"{code}: {CROSSED} goes with tables sex and age_group, which are not in its programme")
    problems += [f"group {g}: threshold {t} is below 3" for g, (t, known) in found.groups.items() if t < 3 or known < 0]
    if problems:
        raise HarmoniaError(f"the disclosure policy cannot be applied: {'; '.join(problems)}")
