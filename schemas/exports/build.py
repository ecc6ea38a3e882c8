"""From a contract to pandera models. Belongs here: the derivation and the kinds of cross-field rule. No institution by name.

Every check carries the rule code as its name; `title` of a frame-wide check names the field that the finding is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from pipelines.harmonisation import dates
from sources.contract import ColumnSpec, Contract, TableSpec

PERIOD_END = "_period_end"
"""Column of every typed frame: last day of the delivered quarter."""

_DTYPES: Mapping[str, Any] = {"date": "datetime64[s]", "integer": "Int64"}
_OLDEST_YEARS = 110


def _check(check: Callable[[pd.DataFrame], pd.Series], rule: str, field: str) -> pa.Check:
    """A rule over the cells of a row. The rows that break it are read from the result of `check`; pandera formats only one of them."""
    return pa.Check(check, name=rule, title=field, ignore_na=False, n_failure_cases=1)


def in_order(*columns: str, rule: str = "cross-date-order") -> list[pa.Check]:
    """Dates in order: each adjacent pair; a missing date is skipped."""
    checks = []
    for i, later in enumerate(columns[1:], start=1):
        earlier = columns[:i]

        def ordered(frame: pd.DataFrame, later: str = later, earlier: Sequence[str] = earlier) -> pd.Series:
            floor = pd.concat([dates.first_day(frame[name], frame[f"{name}:precision"]) for name in earlier], axis=1).max(axis=1)
            day = dates.last_day(frame[later], frame[f"{later}:precision"])
            return ~(floor.notna() & day.notna() & (day < floor))

        checks.append(_check(ordered, rule, later))
    return checks


def requires(when: str, value: str, column: str, rule: str = "cross-status-without-date") -> pa.Check:
    """A row with `value` in `when` needs a date in `column`: delivered, even if unreadable (which has its own finding)."""

    def stated(frame: pd.DataFrame) -> pd.Series:
        return (frame[when] != value) | frame[column].notna() | frame[f"{column}:unreadable"]

    return _check(stated, rule, column)


def names(when: str, values: Sequence[str], column: str, rule: str = "cell-empty") -> pa.Check:
    """A row with one of `values` in `when` is expected to have a value in `column`."""

    def given(frame: pd.DataFrame) -> pd.Series:
        return ~frame[when].isin(values) | frame[f"{column}:given"]

    return _check(given, rule, column)


def agrees(column: str, reference: str, values: Mapping[str, str], rule: str = "cross-source-disagrees") -> pa.Check:
    """The sender in `column` must match the number in `reference`: kind of number -> value of `column`."""

    def same(frame: pd.DataFrame) -> pd.Series:
        told = frame[f"{reference}:kind"].map(values)
        return told.isna() | frame[column].isna() | (told == frame[column])

    return _check(same, rule, column)


def _column(spec: ColumnSpec) -> pa.Column:
    checks = []
    if spec.type == "code":
        checks.append(pa.Check.isin(sorted({*spec.meanings, *spec.prefixes.values()}), name="cell-code-unknown"))
    return pa.Column(_DTYPES.get(spec.type, "str"), checks=checks, nullable=True, name=spec.name)


def _filled(spec: ColumnSpec) -> pa.Check:
    def filled(frame: pd.DataFrame) -> pd.Series:
        return frame[f"{spec.name}:given"]

    return _check(filled, "cell-missing", spec.name)


def _not_future(spec: ColumnSpec) -> pa.Check:
    def not_future(frame: pd.DataFrame) -> pd.Series:
        return ~(frame[spec.name] > frame[PERIOD_END])

    return _check(not_future, "cell-date-future", spec.name)


def _born(spec: ColumnSpec) -> pa.Check:
    def plausible(frame: pd.DataFrame) -> pd.Series:
        year, end = frame[f"{spec.name}:year"], frame[PERIOD_END].dt.year
        return ~((year > end) | (frame[spec.name] > frame[PERIOD_END]) | (year < end - _OLDEST_YEARS)).fillna(False).astype(bool)

    return _check(plausible, "cell-birth-date-implausible", spec.name)


def build(contract: Contract, cross: Mapping[str, Sequence[pa.Check]] | None = None) -> dict[str, pa.DataFrameSchema]:
    """A lazy model per table of `contract`: types, code lists, required cells, plausible dates, and the `cross` rules."""
    return {name: _model(spec, list((cross or {}).get(name, ()))) for name, spec in contract.tables.items()}


def _model(spec: TableSpec, cross: list[pa.Check]) -> pa.DataFrameSchema:
    checks = [_filled(c) for c in spec.columns if c.required and not c.key]
    checks += [_not_future(c) for c in spec.columns if c.type == "date" and c.event]
    checks += [_born(c) for c in spec.columns if c.type == "date" and not c.event and c.personal]
    return pa.DataFrameSchema({c.name: _column(c) for c in spec.columns}, checks=checks + cross, strict=False, name=spec.name)
