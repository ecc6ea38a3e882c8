"""Small deliveries as a reader would give them: rows by table, missing columns null, positions filled in."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines import record_status as current
from pipelines.harmonisation.stage import Canonical, harmonise
from pipelines.record_status import RecordStatuses
from pipelines.validation import ValidatedDeliveries, validate
from sources import contract
from sources.readers.result import ReadResult

Rows = dict[str, list[dict[str, Any]]]


def read(institution: str, rows: Rows, state: str = "complete") -> ReadResult:
    """A delivery of one file that holds `rows`; a child's parent is found by its key columns."""
    declared = contract.load(institution)
    tables: dict[str, pd.DataFrame] = {}
    number = 0
    for name, spec in declared.tables.items():
        frame = pd.DataFrame(rows.get(name, []), columns=[c.name for c in spec.columns], dtype="str")
        frame["_file"], frame["_part"] = "a file", None
        frame["_row"] = frame["_line"] = range(number, number + len(frame))
        frame["_parent"] = pd.Series(pd.NA, index=frame.index, dtype="Int64")
        if spec.parent and len(frame) and len(tables[spec.parent]):
            above = declared.tables[spec.parent]
            key = list(above.key or above.via)
            at = tables[spec.parent].drop_duplicates(key).set_index(key)["_row"]
            wanted = pd.MultiIndex.from_frame(frame[list(spec.via)]) if len(key) > 1 else pd.Index(frame[spec.via[0]])
            frame["_parent"] = at.reindex(wanted).astype("Int64").to_numpy()
        number += len(frame)
        tables[name] = frame
    return ReadResult(tables=tables, files={"a file": state}, rows={"a file": sum(map(len, tables.values()))})


def judged(institution: str, deliveries: dict[str, Rows]) -> ValidatedDeliveries:
    """The deliveries validated."""
    return validate(institution, {name: read(institution, rows) for name, rows in deliveries.items()})


def standing(institution: str, deliveries: dict[str, Rows]) -> RecordStatuses:
    """The accepted records of the deliveries."""
    return current.resolve_record_statuses(judged(institution, deliveries))


def canonical(institution: str, deliveries: dict[str, Rows]) -> Canonical:
    """Canonical tables of the deliveries."""
    return harmonise(institution, standing(institution, deliveries).tables)


def rules(found: ValidatedDeliveries | RecordStatuses) -> dict[str, set[str | None]]:
    """rule -> record keys."""
    out: dict[str, set[str | None]] = {}
    for rule, key in zip(found.findings["rule"], found.findings["record_key"], strict=True):
        out.setdefault(rule, set()).add(None if pd.isna(key) else key)
    return out
