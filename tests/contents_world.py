"""What a home publishes, so that two homes can be held against each other: ids under canonical names, rows in one order, and a hash.

An id of a case or a person is a counter and depends on the order of arrival: it is replaced by the first of its records. The number of
an event orders the events of a record: it is replaced by its place among them, and the number of a chain of stays by its first stay.
`findings.state` says what was new when it came, so that it is left out.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pandas as pd

from warehouse import tables

TIME_OF_ARRIVAL = {"findings": ["state"]}
_RECORD = ["institution", "record_key"]


def contents(home: Path) -> dict[str, pd.DataFrame]:
    """Every stored table of the published warehouse by its name."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        found = {
            table.name: connection.sql(f'FROM "{table.name}"').df() for table in tables.list_declared_tables_except_views(tables.WAREHOUSE)
        }
    names = {column: _names(found["lineage"], column, entity) for column, entity in (("case_id", "case"), ("person_id", "person"))}
    return {name: _canonical(name, frame, names) for name, frame in found.items()}


def hashes(home: Path) -> dict[str, str]:
    """A hash of the content of every table."""
    return {name: hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest() for name, frame in contents(home).items()}


def _names(lineage: pd.DataFrame, column: str, entity: str) -> pd.Series:
    """The first record of each id, of an entity where it has one: institution and key in one text."""
    own = lineage.dropna(subset=[column]).assign(_other=lambda f: f["entity"] != entity).sort_values(["_other", *_RECORD])
    first = own.drop_duplicates(column).set_index(column)
    return first["entity"] + " " + first["institution"] + " " + first["record_key"]


def _canonical(name: str, frame: pd.DataFrame, names: dict[str, pd.Series]) -> pd.DataFrame:
    out = frame.drop(columns=TIME_OF_ARRIVAL.get(name, []))
    for column, named in names.items():
        if column in out:
            out[column] = out[column].map(named).fillna(out[column])
    if "event_id" in out:
        out["event_id"] = out.groupby(["subject", *_RECORD], dropna=False)["event_id"].rank().astype("int64")
    if "chain" in out:
        out["chain"] = out.groupby("chain")["record_key"].transform("min")
    return out.sort_values(list(out.columns), ignore_index=True, key=lambda c: c.astype("str"))
