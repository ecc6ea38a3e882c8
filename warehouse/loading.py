"""Rows that are to be loaded into a store: a frame in memory, or batches that are read from files.

Belongs here: these two kinds of rows, and converting them to Arrow tables with the declared types. Does not belong here: loading them into
a particular store (`publish`, `postgres`).
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
"""Number of rows per batch."""


class RowsInBatches(Protocol):
    """Rows that may not fit into memory, and that are read in batches: a pyarrow dataset, or another object with the method
    `to_batches`."""

    def to_batches(self, columns: list[str] | None = None) -> Iterable[pa.RecordBatch]:
        """Return the rows in batches, in order. columns: the columns to return; None for all columns."""
        ...


Rows: TypeAlias = pd.DataFrame | RowsInBatches
"""The rows of a table: a frame, or rows that are read in batches."""


def iterate_batches_with_declared_types(table: Table, rows: Rows) -> Iterator[pa.Table]:
    """Yield `rows` with the columns and types that `table` declares. A frame is returned as one batch."""
    if isinstance(rows, pd.DataFrame):
        yield tables.convert_frame_to_arrow(table, tables.conform_frame(table, rows))
        return
    schema = tables.arrow_schema(table)
    for batch in iterate_row_batches(rows, schema.names):
        yield pa.Table.from_batches([batch]).cast(schema)


def iterate_row_batches(rows: RowsInBatches, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows in batches, in order. columns: the columns to return; None for all columns."""
    if isinstance(rows, ds.Dataset):  # which would otherwise read about twenty batches ahead of the consumer
        yield from rows.to_batches(columns, batch_size=BATCH, batch_readahead=1, fragment_readahead=1)
    else:
        yield from rows.to_batches(columns)


def compute_batches_ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches. While the caller processes a batch, the next one is computed."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, batches, None)
        while (batch := waiting.result()) is not None:
            waiting = pool.submit(next, batches, None)
            yield batch


def register_table(connection: duckdb.DuckDBPyConnection, name: str, rows: Rows) -> list[str]:
    """Register `rows` as the table `name` in `connection`; return the files that the connection must be able to read."""
    files = list(rows.files) if isinstance(rows, ds.FileSystemDataset) else []
    if not files or any(sign in file for file in files for sign in "*?["):  # which DuckDB would interpret as a pattern
        connection.register(name, rows)
        return []
    # DuckDB's reader uses several threads and reads data used by several parts of a statement only once.
    connection.read_parquet(files).create_view(name)
    return files


def convert_rows_to_frame(rows: Rows) -> pd.DataFrame:
    """Convert rows that fit in memory to a frame."""
    return rows if isinstance(rows, pd.DataFrame) else pa.Table.from_batches(rows.to_batches()).to_pandas(date_as_object=False)
