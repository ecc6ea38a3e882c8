"""Findings on what a register did with its records over the years (deliveries.md, "Registers over the years"): cancelled, reopened, late.

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
    """Findings (`schemas.findings.COLUMNS`) on the case records of an institution.

    tables: typed, with `_status`, in the order of the deliveries; deliveries: delivery, period, version, state.
    """
    parts = []
    for name, spec in contract.tables.items():
        state, opened = _state_column(spec), _opening_column(spec)
        if tables[name].empty:
            continue
        states = tables[name][tables[name]["_status"].isin(["accepted", "superseded"]) & tables[name]["_key"].notna()]
        if state:
            parts += [_cancelled(states, state.name), _reopened(states, state.name)]
        if opened:
            parts.append(_late(states, opened, deliveries))
    found = [part for part in parts if len(part)]
    out = findings.complete(pd.concat(found, ignore_index=True)) if found else findings.frame()
    return out.assign(institution=contract.institution)


def columns_read(spec: TableSpec) -> set[str]:
    """The columns of a table that are compared."""
    return {column.name for column in (_state_column(spec), _opening_column(spec)) if column}


def _state_column(spec: TableSpec) -> ColumnSpec | None:
    """The column with the state of a case."""
    own = spec.columns if spec.entity in ("case", "both") else ()
    return next((c for c in own if c.type == "code" and {"cancelled", *_ENDED} & {*c.meanings}), None)


def _opening_column(spec: TableSpec) -> ColumnSpec | None:
    """The column with the day on which a case was opened."""
    own = spec.columns if spec.entity in ("case", "both") else ()
    return next((c for c in own if c.type == "date" and c.event and c.required), None)


def _rows(states: pd.DataFrame, hit: pd.Series, field: str, rule: str, **more: pd.Series) -> pd.DataFrame:
    rows = states.loc[hit, list(_WHERE)].rename(columns=_WHERE)
    return rows.assign(field=field, rule=rule, **{name: values[hit] for name, values in more.items()})


def _cancelled(states: pd.DataFrame, column: str) -> pd.DataFrame:
    """Records from the state on that says that they are cancelled: known before, or never delivered before."""
    cancelled = states[column] == "cancelled"
    before = states.groupby("_key")[column].shift()
    first = ~states["_key"].duplicated()
    known = _rows(states, cancelled & ~first & (before != "cancelled").fillna(True), column, "cross-cancelled")
    return pd.concat([known, _rows(states, cancelled & first, column, "cross-cancelled-never-delivered")])


def _reopened(states: pd.DataFrame, column: str) -> pd.DataFrame:
    """Records under investigation again after they had ended."""
    before = states.groupby("_key")[column].shift()
    return _rows(states, (before.isin(_ENDED) & (states[column] == "investigating")).fillna(False), column, "cross-reopened")


def _late(states: pd.DataFrame, opened: ColumnSpec, deliveries: pd.DataFrame) -> pd.DataFrame:
    """Records that first came two periods or more after they were opened, although the period in which they were was delivered complete."""
    complete = deliveries.loc[deliveries["state"] == COMPLETE, "period"].unique()
    cadence = periods.cadence_of(str(states["_period"].iloc[0]))
    first = states[~states["_key"].duplicated() & states[opened.name].notna()]
    period = first[opened.name].map(lambda day: periods.containing(day.date(), cadence)).astype("str")
    lag = first["_period"].map(periods.number) - period.map(periods.number)
    return _rows(first, period.isin(complete) & (lag > 1), opened.name, "cross-late-entry", detail=period)
