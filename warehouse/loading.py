"""Rows on their way into a store: held as a frame, or read some at a time from where they lie.

Belongs here: what may be given for a table, and its rows as Arrow with the declared types. Does not belong here: a store's own way of
taking them (`publish`, `postgres`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeAlias

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from sqlalchemy import Table

from warehouse import tables

BATCH = 60_000
"""Rows that are loaded at a time where they are not held."""


class Batched(Protocol):
    """Rows that are too many to be held: a dataset of pyarrow, or what gives them as one does."""

    def to_batches(self, columns: list[str] | None = None) -> Iterable[pa.RecordBatch]:
        """The rows some at a time, in their order."""
        ...


Rows: TypeAlias = pd.DataFrame | Batched
"""Rows of a table with its columns."""


def parts(table: Table, rows: Rows) -> Iterator[pa.Table]:
    """The rows of `table` with the types of `tables.arrow_schema`: a frame at once, others some at a time."""
    if isinstance(rows, pd.DataFrame):
        yield tables.to_arrow(table, tables.conform(table, rows))
        return
    schema = tables.arrow_schema(table)
    for batch in batches(rows, schema.names):
        yield pa.Table.from_batches([batch]).cast(schema)


def batches(rows: Batched, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows some at a time, in their order."""
    if isinstance(rows, ds.Dataset):  # which else reads some twenty batches ahead of whoever takes them
        yield from rows.to_batches(columns, batch_size=BATCH, batch_readahead=1, fragment_readahead=1)
    else:
        yield from rows.to_batches(columns)


def ahead(made: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, each made while whoever takes them is still at work on the one before."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, made, None)
        while (batch := waiting.result()) is not None:
            waiting = pool.submit(next, made, None)
            yield batch


def show(connection: duckdb.DuckDBPyConnection, name: str, rows: Rows) -> list[str]:
    """Let `connection` read `rows` as the table `name`; returns the files that it needs access to for that."""
    files = list(rows.files) if isinstance(rows, ds.FileSystemDataset) else []
    if not files or any(sign in file for file in files for sign in "*?["):  # which DuckDB would take for a pattern
        connection.register(name, rows)
        return []
    # Its own reader works in several threads, and reads once what several parts of a statement ask for.
    connection.read_parquet(files).create_view(name)
    return files


def held(rows: Rows) -> pd.DataFrame:
    """The rows as a frame."""
    return rows if isinstance(rows, pd.DataFrame) else pa.Table.from_batches(rows.to_batches()).to_pandas(date_as_object=False)
