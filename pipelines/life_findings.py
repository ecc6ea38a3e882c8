"""Findings on cases that a register changed over the years: cancelled, reopened or late cases.

Belongs here: comparing the states of a record in different deliveries (deliveries.md, "Registers over the years"). Does not belong here:
record status (`record_status`), crosswalks (`crosswalk`), lists of persons (rules `cross-place-…`), findings on a whole delivery
(`over_time`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from schemas import findings
from sources import periods
from sources.completeness_states import COMPLETE
from sources.contract import ColumnSpec, Contract, TableSpec

_END_STATES = ("closed", "dismissed", "terminated")
_LOCATION_COLUMNS = {"_delivery": "delivery", "_file": "file", "_part": "part", "_line": "line", "_key": "record_key"}


def find_cancelled_reopened_and_late_cases(
    contract: Contract, tables: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame
) -> pd.DataFrame:
    """Return findings (columns: `schemas.findings.COLUMNS`) on cancelled, reopened and late cases of an institution.

    `tables` are typed, have the column `_status`, and are in the order of the deliveries. `deliveries` has the columns delivery, period,
    version and state.
    """
    parts = []
    for name, spec in contract.tables.items():
        state, opened = _find_case_state_column(spec), _find_case_opening_column(spec)
        if tables[name].empty:
            continue
        states = tables[name][tables[name]["_status"].isin(["accepted", "superseded"]) & tables[name]["_key"].notna()]
        if state:
            parts += [_find_cancelled_records(states, state.name), _find_reopened_records(states, state.name)]
        if opened:
            parts.append(_find_records_delivered_late(states, opened, deliveries))
    filled = [part for part in parts if len(part)]
    out = findings.complete_columns(pd.concat(filled, ignore_index=True)) if filled else findings.build_findings()
    return out.assign(institution=contract.institution)


def list_case_state_columns(spec: TableSpec) -> set[str]:
    """Return the columns of a table that `find_cancelled_reopened_and_late_cases` needs."""
    return {column.name for column in (_find_case_state_column(spec), _find_case_opening_column(spec)) if column}


def _find_case_state_column(spec: TableSpec) -> ColumnSpec | None:
    """Return the column that says in which state a case is (such as closed or cancelled); None if the table has no such column."""
    case_columns = spec.columns if spec.entity in ("case", "both") else ()
    return next((c for c in case_columns if c.type == "code" and {"cancelled", *_END_STATES} & {*c.meanings}), None)


def _find_case_opening_column(spec: TableSpec) -> ColumnSpec | None:
    """Return the column with the day on which a case was opened; None if the table has no such column."""
    case_columns = spec.columns if spec.entity in ("case", "both") else ()
    return next((c for c in case_columns if c.type == "date" and c.event and c.required), None)


def _make_findings(states: pd.DataFrame, is_affected: pd.Series, field: str, rule: str, **further_columns: pd.Series) -> pd.DataFrame:
    """Return findings of `rule` on the column `field`, for the rows of `states` for which `is_affected` is true.

    `further_columns` has the values of other columns of the findings.
    """
    rows = states.loc[is_affected, list(_LOCATION_COLUMNS)].rename(columns=_LOCATION_COLUMNS)
    return rows.assign(field=field, rule=rule, **{name: values[is_affected] for name, values in further_columns.items()})


def _find_cancelled_records(states: pd.DataFrame, state_column: str) -> pd.DataFrame:
    """Find the deliveries in which a case is cancelled that was not cancelled in the delivery before.

    The rule of the finding depends on whether the case had been delivered before it was cancelled.
    """
    cancelled = states[state_column] == "cancelled"
    before = states.groupby("_key")[state_column].shift()
    first = ~states["_key"].duplicated()
    known = _make_findings(states, cancelled & ~first & (before != "cancelled").fillna(True), state_column, "cross-cancelled")
    return pd.concat([known, _make_findings(states, cancelled & first, state_column, "cross-cancelled-never-delivered")])


def _find_reopened_records(states: pd.DataFrame, state_column: str) -> pd.DataFrame:
    """Find the cases that had ended in one delivery, and are under investigation in the next delivery that contains them."""
    before = states.groupby("_key")[state_column].shift()
    return _make_findings(
        states, (before.isin(_END_STATES) & (states[state_column] == "investigating")).fillna(False), state_column, "cross-reopened"
    )


def _find_records_delivered_late(states: pd.DataFrame, opening_column: ColumnSpec, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Find cases that were delivered for the first time two or more periods after the period in which they were opened.

    A case counts only if a complete delivery was received for the period in which it was opened.
    """
    complete = deliveries.loc[deliveries["state"] == COMPLETE, "period"].unique()
    cadence = periods.cadence_of(str(states["_period"].iloc[0]))
    first_states = states[~states["_key"].duplicated() & states[opening_column.name].notna()]
    period = first_states[opening_column.name].map(lambda day: periods.period_containing(day.date(), cadence)).astype("str")
    lag = first_states["_period"].map(periods.running_number_of_period) - period.map(periods.running_number_of_period)
    return _make_findings(first_states, period.isin(complete) & (lag > 1), opening_column.name, "cross-late-entry", detail=period)
