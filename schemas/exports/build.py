"""Derive pandera models from a contract.

Belongs here: the derivation, and the kinds of rules between cells. Does not belong here: the name of an institution. The name of every
check is the code of its rule; its `title` is the field that the finding is about.
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


def _make_row_check(check: Callable[[pd.DataFrame], pd.Series], rule: str, field: str) -> pa.Check:
    """Return a pandera check of `rule` over the cells of a row. Its findings are about `field`.

    `check` returns for each row whether it follows the rule. All rows that break the rule are read from this result, since pandera is told
    to format only one of them.
    """
    return pa.Check(check, name=rule, title=field, ignore_na=False, n_failure_cases=1)


def make_date_order_checks(*columns: str, rule: str = "cross-date-order") -> list[pa.Check]:
    """Return checks that the dates in `columns` are in order, one check for each column after the first. A missing date is skipped."""
    checks = []
    for i, later in enumerate(columns[1:], start=1):
        earlier = columns[:i]

        def dates_are_ordered(frame: pd.DataFrame, later: str = later, earlier: Sequence[str] = earlier) -> pd.Series:
            floor = pd.concat([dates.find_first_possible_day(frame[name], frame[f"{name}:precision"]) for name in earlier], axis=1).max(
                axis=1
            )
            day = dates.find_last_possible_day(frame[later], frame[f"{later}:precision"])
            return ~(floor.notna() & day.notna() & (day < floor))

        checks.append(_make_row_check(dates_are_ordered, rule, later))
    return checks


def make_check_of_required_date(when: str, value: str, column: str, rule: str = "cross-status-without-date") -> pa.Check:
    """Return the check that a row with `value` in the column `when` has a date in `column`.

    The date may be unreadable, since that has a finding of its own.
    """

    def has_required_date(frame: pd.DataFrame) -> pd.Series:
        return (frame[when] != value) | frame[column].notna() | frame[f"{column}:unreadable"]

    return _make_row_check(has_required_date, rule, column)


def make_check_of_required_value(when: str, values: Sequence[str], column: str, rule: str = "cell-empty") -> pa.Check:
    """Return the check that a row with one of `values` in the column `when` has a value in `column`."""

    def has_required_value(frame: pd.DataFrame) -> pd.Series:
        return ~frame[when].isin(values) | frame[f"{column}:given"]

    return _make_row_check(has_required_value, rule, column)


def make_check_of_sender(column: str, reference: str, values: Mapping[str, str], rule: str = "cross-source-disagrees") -> pa.Check:
    """Return the check that the sender in `column` is the institution to which the case number in `reference` belongs.

    `values` maps the kind of a case number to the value that `column` must have.
    """

    def has_matching_sender(frame: pd.DataFrame) -> pd.Series:
        sender_of_number = frame[f"{reference}:kind"].map(values)
        return sender_of_number.isna() | frame[column].isna() | (sender_of_number == frame[column])

    return _make_row_check(has_matching_sender, rule, column)


def _build_pandera_column(column: ColumnSpec) -> pa.Column:
    checks = []
    if column.type == "code":
        checks.append(pa.Check.isin(sorted({*column.meanings, *column.prefixes.values()}), name="cell-code-unknown"))
    return pa.Column(_DTYPES.get(column.type, "str"), checks=checks, nullable=True, name=column.name)


def _make_check_of_filled_cell(column: ColumnSpec) -> pa.Check:
    def cell_is_filled(frame: pd.DataFrame) -> pd.Series:
        return frame[f"{column.name}:given"]

    return _make_row_check(cell_is_filled, "cell-missing", column.name)


def _make_check_of_future_date(column: ColumnSpec) -> pa.Check:
    def date_is_not_future(frame: pd.DataFrame) -> pd.Series:
        return ~(frame[column.name] > frame[PERIOD_END])

    return _make_row_check(date_is_not_future, "cell-date-future", column.name)


def _make_check_of_birth_date(column: ColumnSpec) -> pa.Check:
    def birth_date_is_plausible(frame: pd.DataFrame) -> pd.Series:
        year, end = frame[f"{column.name}:year"], frame[PERIOD_END].dt.year
        return ~((year > end) | (frame[column.name] > frame[PERIOD_END]) | (year < end - _OLDEST_YEARS)).fillna(False).astype(bool)

    return _make_row_check(birth_date_is_plausible, "cell-birth-date-implausible", column.name)


def build_pandera_models(contract: Contract, cross: Mapping[str, Sequence[pa.Check]] | None = None) -> dict[str, pa.DataFrameSchema]:
    """Return a model for each table of `contract`. The result is indexed by name of the table.

    A model checks types, code lists, required cells, plausible dates, and the further checks that `cross` has for the table.
    """
    return {name: _build_pandera_model(spec, list((cross or {}).get(name, ()))) for name, spec in contract.tables.items()}


def _build_pandera_model(spec: TableSpec, cross: list[pa.Check]) -> pa.DataFrameSchema:
    checks = [_make_check_of_filled_cell(c) for c in spec.columns if c.required and not c.key]
    checks += [_make_check_of_future_date(c) for c in spec.columns if c.type == "date" and c.event]
    checks += [_make_check_of_birth_date(c) for c in spec.columns if c.type == "date" and not c.event and c.personal]
    return pa.DataFrameSchema({c.name: _build_pandera_column(c) for c in spec.columns}, checks=checks + cross, strict=False, name=spec.name)
