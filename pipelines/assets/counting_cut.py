"""The records of some cases, cut into pieces that are counted apart from each other.

Belongs here: what lies in the folder of a piece, writing and reading it. Does not belong here: which records must stay together
(`warehouse.star.apart`), which cases are counted at all, counting.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.assets.counting_inputs import Before
from pipelines.resources import lake, parquet
from pipelines.resources.lake import Tables
from schemas.canonical import TABLES, arrow_schema
from warehouse.count import CountInputs
from warehouse.count.date_habits import observed
from warehouse.count.inputs import KEY, NAMES, accepted_events
from warehouse.loading import show

_IDS = ("cases", "persons")
_KEY = {"cases": ("file", "rows.record_key"), "persons": ("person", "rows.record_key")}
_FILE = ("file", "coalesce(rows.case_key, rows.record_key)")


def cut(before: Before, found: pd.DataFrame, habits: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the records of cases into folders below `folder`, one for each piece, which are returned.

    found   rows of `warehouse.star.apart.groups` with `piece`, numbered from 0
    habits  of `habits`
    """
    folders = [folder / str(n) for n in range(int(found["piece"].max()) + 1 if len(found) else 0)]
    for one in folders:
        one.mkdir(parents=True)
    if not folders:
        return []
    parquet.write_table(folder / "deliveries.parquet", before.standing["deliveries"])
    parquet.write_table(folder / "numbers.parquet", _numbers(before.canonical))
    parquet.write_table(folder / "habits.parquet", habits.reset_index())
    with duckdb.connect() as connection:
        _place(connection, "file", found[["institution", "case_key", "piece"]])
        _place(connection, "person", found.loc[found["entity"] == "person", ["institution", "record_key", "piece"]])
        for name in TABLES:
            show(connection, name, before.canonical.scan(name))
            _put(connection, name, pa.schema([field for field in arrow_schema(name) if field.name not in NAMES]), folders)
        for name in _IDS:
            show(connection, name, before.identities.scan(name))
            _put(connection, name, pa.schema([(c, pa.string()) for c in (*KEY, f"{name.removesuffix('s')}_id")]), folders)
    return folders


def inputs(piece: Path) -> CountInputs:
    """What counting reads of the cases of a piece. What speaks of all cases (lineage, findings) is not there."""
    held, shared, nothing = lake.read(piece), lake.read(piece.parent), pd.DataFrame()
    canonical = {name: held[name] for name in TABLES}
    deliveries, numbers, habits = shared["deliveries"], shared["numbers"], shared["habits"].set_index("institution")
    return CountInputs(canonical, held["cases"], held["persons"], deliveries, nothing, nothing, nothing, numbers=numbers, habits=habits)


def habits(before: Before) -> pd.DataFrame:
    """How all sources enter dates (`warehouse.count.date_habits`), by institution."""
    of_event = ["case_key", "entity", "event", "outcome", "date", "present", "status", "delivery", "period"]
    needed = {"events": [*KEY, *of_event], "case_records": ["institution", "case_key", "number", "status", "state", "merged_into"]}
    canonical = {name: before.canonical.some(name, columns) for name, columns in needed.items()}
    return observed(accepted_events(canonical, before.standing["deliveries"])).rates


def _numbers(canonical: Tables) -> pd.DataFrame:
    """institution, number of all files: one may cite a file of another piece."""
    files = canonical.some("case_records", ["institution", "number", "status"])
    return files.loc[files["status"] == "accepted", ["institution", "number"]].dropna().drop_duplicates(ignore_index=True)


def _place(connection: duckdb.DuckDBPyConnection, name: str, rows: pd.DataFrame) -> None:
    """The piece of each key, as the table `name`: institution, key, piece."""
    connection.register("rows", rows.set_axis(["institution", "key", "piece"], axis=1).drop_duplicates())
    connection.execute(f"CREATE TEMP TABLE {name} AS FROM rows")
    connection.unregister("rows")


def _put(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema, folders: list[Path]) -> None:
    """Write the rows of a table to the piece of their keys, in their order."""
    of, key = _KEY.get(name, _FILE)
    listed = ", ".join(f'rows."{column}"' for column in schema.names)
    found: pa.Table = connection.sql(
        f"""SELECT {listed}, {of}.piece
        FROM (SELECT *, row_number() OVER () AS place FROM "{name}") AS rows
        JOIN {of} ON {of}.institution = rows.institution AND {of}.key = {key}
        ORDER BY {of}.piece, place"""
    ).to_arrow_table()
    begins = np.searchsorted(found["piece"].to_numpy(), np.arange(len(folders) + 1))
    rows = found.drop_columns("piece").cast(schema)
    for n, folder in enumerate(folders):
        parquet.write_table(folder / f"{name}.parquet", rows.slice(begins[n], begins[n + 1] - begins[n]))
