"""Derive pandera models of delivered tables from a contract. (Pandera is a library that validates frames.)

Belongs here: the derivation, and functions that make rules which compare cells of the same row. Does not belong here: anything about a
particular institution. The `name` of a check is the code of its rule, and its `title` is the field that its findings are about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pandera.pandas as pa

from pipelines.harmonisation import dates
from pipelines.harmonisation.builders import are_birth_dates_possible
from sources.contract import ColumnSpec, Contract, TableSpec

PERIOD_END = "_period_end"
"""A column of every frame whose cells were parsed: the last day of the delivered period."""

_DTYPES: Mapping[str, Any] = {"date": "datetime64[s]", "integer": "Int64"}


def _make_row_check(check: Callable[[pd.DataFrame], pd.Series], rule: str, field: str) -> pa.Check:
    """Return a pandera check of the rule with the code `rule`, which compares cells of the same row. Its findings are about `field`.

    `check` returns for each row whether it follows the rule. The rows that break the rule are read from this result; pandera describes only
    one of them, since describing all would take long.
    """
    return pa.Check(check, name=rule, title=field, ignore_na=False, n_failure_cases=1)


def make_date_order_checks(*columns: str, rule: str = "cross-date-order") -> list[pa.Check]:
    """Return checks that the dates of a row are in the order of `columns`. Missing dates are skipped.

    There is one check for each column after the first, which compares its date with the dates in all columns before it.
    """
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

    An unreadable date does not break this rule, since there is a separate finding about it.
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
    """Return the check that the sender of a case, in `column`, is the institution whose case number is in the column `reference`.

    `values` says, for each kind of case number, which value `column` must have.
    """

    def has_matching_sender(frame: pd.DataFrame) -> pd.Series:
        sender_of_number = frame[f"{reference}:kind"].map(values)
        return sender_of_number.isna() | frame[column].isna() | (sender_of_number == frame[column])

    return _make_row_check(has_matching_sender, rule, column)


def _build_pandera_column(column: ColumnSpec) -> pa.Column:
    """Return a column of a pandera model, with a check of its code list if it has one."""
    checks = []
    if column.type == "code":
        checks.append(pa.Check.isin(sorted({*column.meanings, *column.prefixes.values()}), name="cell-code-unknown"))
    return pa.Column(_DTYPES.get(column.type, "str"), checks=checks, nullable=True, name=column.name)


def _make_check_of_filled_cell(column: ColumnSpec) -> pa.Check:
    """Return the check that every row has a value in `column`."""

    def cell_is_filled(frame: pd.DataFrame) -> pd.Series:
        return frame[f"{column.name}:given"]

    return _make_row_check(cell_is_filled, "cell-missing", column.name)


def _make_check_of_future_date(column: ColumnSpec) -> pa.Check:
    """Return the check that no date in `column` is after the end of the delivered period."""

    def date_is_not_future(frame: pd.DataFrame) -> pd.Series:
        return ~(frame[column.name] > frame[PERIOD_END])

    return _make_row_check(date_is_not_future, "cell-date-future", column.name)


def _make_check_of_birth_date(column: ColumnSpec) -> pa.Check:
    """Return the check that birth dates in `column` are possible (`are_birth_dates_possible`)."""

    def birth_date_is_plausible(frame: pd.DataFrame) -> pd.Series:
        return are_birth_dates_possible(frame[column.name], frame[f"{column.name}:year"], frame[PERIOD_END])

    return _make_row_check(birth_date_is_plausible, "cell-birth-date-implausible", column.name)


def build_pandera_models(contract: Contract, cross: Mapping[str, Sequence[pa.Check]] | None = None) -> dict[str, pa.DataFrameSchema]:
    """Return a pandera model for each table of `contract`, by the name of the table.

    A model checks types, code lists, that required cells are filled, and that dates are plausible. `cross` has further checks for some
    tables, by the name of the table.
    """
    return {name: _build_pandera_model(spec, list((cross or {}).get(name, ()))) for name, spec in contract.tables.items()}


def _build_pandera_model(spec: TableSpec, cross: list[pa.Check]) -> pa.DataFrameSchema:
    checks = [_make_check_of_filled_cell(c) for c in spec.columns if c.required and not c.key]
    checks += [_make_check_of_future_date(c) for c in spec.columns if c.type == "date" and c.event]
    checks += [_make_check_of_birth_date(c) for c in spec.columns if c.type == "date" and not c.event and c.personal]
    return pa.DataFrameSchema({c.name: _build_pandera_column(c) for c in spec.columns}, checks=checks + cross, strict=False, name=spec.name)
