"""Findings on what a register did with its records over the years: cancelled, reopened or late cases (deliveries.md, "Registers over the
years").

Belongs here: comparing the states of one record over deliveries. Does not belong here: record status (`record_status`), crosswalks
(`crosswalk`), lists of persons (`cross-place-…`), whole deliveries (`over_time`).
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from schemas import findings
from sources import periods
from sources.contract import ColumnSpec, Contract, TableSpec
from sources.states import COMPLETE

_ENDED = ("closed", "dismissed", "terminated")
_WHERE = {"_delivery": "delivery", "_file": "file", "_part": "part", "_line": "line", "_key": "record_key"}


def life_findings(contract: Contract, tables: Mapping[str, pd.DataFrame], deliveries: pd.DataFrame) -> pd.DataFrame:
    """Return findings (`schemas.findings.COLUMNS`) on the case records of an institution.

    tables: typed, with `_status`, in the order of the deliveries; deliveries: delivery, period, version, state.
    """
    parts = []
    for name, spec in contract.tables.items():
        state, opened = _state_column(spec), _opening_column(spec)
        if tables[name].empty:
            continue
        states = tables[name][tables[name]["_status"].isin(["accepted", "superseded"]) & tables[name]["_key"].notna()]
        if state:
            parts += [_find_cancelled(states, state.name), _find_reopened(states, state.name)]
        if opened:
            parts.append(_find_late(states, opened, deliveries))
    found = [part for part in parts if len(part)]
    out = findings.complete(pd.concat(found, ignore_index=True)) if found else findings.frame()
    return out.assign(institution=contract.institution)


def columns_read(spec: TableSpec) -> set[str]:
    """Return the columns of a table that `life_findings` reads."""
    return {column.name for column in (_state_column(spec), _opening_column(spec)) if column}


def _state_column(spec: TableSpec) -> ColumnSpec | None:
    """Return the column with the state of a case; None if the table has none."""
    own = spec.columns if spec.entity in ("case", "both") else ()
    return next((c for c in own if c.type == "code" and {"cancelled", *_ENDED} & {*c.meanings}), None)


def _opening_column(spec: TableSpec) -> ColumnSpec | None:
    """Return the column with the day on which a case was opened; None if the table has none."""
    own = spec.columns if spec.entity in ("case", "both") else ()
    return next((c for c in own if c.type == "date" and c.event and c.required), None)


def _make_findings(states: pd.DataFrame, hit: pd.Series, field: str, rule: str, **more: pd.Series) -> pd.DataFrame:
    """Return findings of `rule` on the column `field` for the rows for which `hit` is true. `more`: values of further columns."""
    rows = states.loc[hit, list(_WHERE)].rename(columns=_WHERE)
    return rows.assign(field=field, rule=rule, **{name: values[hit] for name, values in more.items()})


def _find_cancelled(states: pd.DataFrame, column: str) -> pd.DataFrame:
    """Find the first state of a record that says the record is cancelled, if it was delivered before, and records that were never
    delivered before they were cancelled."""
    cancelled = states[column] == "cancelled"
    before = states.groupby("_key")[column].shift()
    first = ~states["_key"].duplicated()
    known = _make_findings(states, cancelled & ~first & (before != "cancelled").fillna(True), column, "cross-cancelled")
    return pd.concat([known, _make_findings(states, cancelled & first, column, "cross-cancelled-never-delivered")])


def _find_reopened(states: pd.DataFrame, column: str) -> pd.DataFrame:
    """Find records that are under investigation again after they had ended."""
    before = states.groupby("_key")[column].shift()
    return _make_findings(states, (before.isin(_ENDED) & (states[column] == "investigating")).fillna(False), column, "cross-reopened")


def _find_late(states: pd.DataFrame, opened: ColumnSpec, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Find records that first came two periods or more after they were opened, although a complete delivery of the period of their
    opening came."""
    complete = deliveries.loc[deliveries["state"] == COMPLETE, "period"].unique()
    cadence = periods.cadence_of(str(states["_period"].iloc[0]))
    first = states[~states["_key"].duplicated() & states[opened.name].notna()]
    period = first[opened.name].map(lambda day: periods.containing(day.date(), cadence)).astype("str")
    lag = first["_period"].map(periods.number) - period.map(periods.number)
    return _make_findings(first, period.isin(complete) & (lag > 1), opened.name, "cross-late-entry", detail=period)
