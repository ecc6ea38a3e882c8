"""What is published, as one hash: the same for the same content, whatever numbers the ids were given and in which order rows lie.

Belongs here: reading the published tables of a home or a server, renaming ids, the hash. Does not belong here: what is expected of it.
`findings.state` is left aside: it says what is new since the delivery before, and so hangs on the order of arrival by its meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd
import psycopg

from warehouse.tables import WAREHOUSE

Tables = dict[str, pd.DataFrame]
IDS = ("case_id", "person_id")
_NONE = "\x00"  # a missing cell


def of_file(path: Path) -> Tables:
    """Every table of a DuckDB file."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_name").fetchall()]
        return {name: connection.sql(f'FROM "{name}"').df() for name in names}


def of_server(url: str) -> Tables:
    """Every table of the schema `warehouse`; none where there is no such schema."""
    with psycopg.connect(url) as connection:
        there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'warehouse'").fetchone()
        if not there:
            return {}
        out = {}
        for name, table in WAREHOUSE.tables.items():
            columns = [column.name for column in table.columns]
            rows = connection.execute(f'SELECT {", ".join(columns)} FROM warehouse."{name}"'.encode()).fetchall()
            out[name] = pd.DataFrame(rows, columns=columns)
        return out


def renamed(tables: Tables, lineage: str = "lineage") -> Tables:
    """`tables` with ids numbered in the order of the records that bear them, not in that of their minting."""
    known = _text(tables[lineage])
    known = known.sort_values([c for c in known.columns if c not in IDS], ignore_index=True)
    names: dict[str, str] = {}
    for kind in IDS:
        for id_ in known[kind].unique():
            if id_ != _NONE:
                names.setdefault(id_, f"{kind} {len(names)}")
    out = {}
    for name, frame in tables.items():
        ids = _text(frame[[c for c in IDS if c in frame]])
        out[name] = frame.assign(**{str(c): [names.get(v, v) for v in ids[c]] for c in ids})
    return out


def content_hash(tables: Mapping[str, pd.DataFrame], aside: Mapping[str, tuple[str, ...]] | None = None) -> str:
    """One hash over all tables, their columns and rows, in no order; `aside`: columns by table that do not count."""
    left = {"findings": ("state",)} if aside is None else aside
    digest = hashlib.sha256()
    for name in sorted(tables):
        frame = _text(tables[name].drop(columns=[c for c in left.get(name, ()) if c in tables[name]]))
        lines = sorted(map("\x1f".join, zip(*(frame[c].tolist() for c in frame), strict=True)))
        digest.update("\x1e".join([name, *frame.columns, *lines]).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text, the same for the types of both databases."""

    def text(column: pd.Series) -> pd.Series:
        if pd.api.types.is_datetime64_any_dtype(column):
            column = column.dt.strftime("%Y-%m-%d")
        elif pd.api.types.is_bool_dtype(column):
            column = column.astype("object")
        elif pd.api.types.is_numeric_dtype(column):
            column = column.astype("float64")
        cells = [_NONE if pd.isna(v) else v if isinstance(v, str) else str(float(v)) if _is_number(v) else str(v) for v in column.tolist()]
        return pd.Series(cells, column.index, dtype="object")

    return pd.DataFrame({str(name): text(frame[name]) for name in frame.columns})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
