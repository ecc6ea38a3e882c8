"""64-bit hashes of rows and numbers, the same in every run; the connection that they are made with. Does not belong here: what for."""

from __future__ import annotations

from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

MIX = np.uint64(0x9E3779B97F4A7C15)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(":memory:")
    database.execute("SET threads = 2; SET preserve_insertion_order = false")
    return database


def cursor() -> duckdb.DuckDBPyConnection:
    """A connection to an empty database; to open one anew takes longer than most questions."""
    return _database().cursor()


def mixed(*parts: np.ndarray) -> np.ndarray:
    """One 64-bit number of several, row by row; the order of the parts counts."""
    out = np.zeros(len(parts[0]), dtype="uint64")
    for part in parts:
        out = (out ^ part.astype("uint64")) * MIX
        out ^= out >> np.uint64(29)
    return out


def hashes(frame: pd.DataFrame) -> np.ndarray:
    """A 64-bit hash of every row."""
    if frame.empty:
        return np.empty(0, dtype="uint64")
    columns = ", ".join(f"c{n}" for n in range(frame.shape[1]))
    table = pa.Table.from_pandas(frame.set_axis([f"c{n}" for n in range(frame.shape[1])], axis=1), preserve_index=False)
    table = table.append_column("n", pa.array(np.arange(len(frame))))
    with cursor() as database:
        database.register("rows", table)
        # Rows are numbered, since threads hand them back in no order.
        found = database.execute(f"SELECT n, hash({columns}) AS h FROM rows").fetchnumpy()
    out = np.empty(len(frame), dtype="uint64")
    out[found["n"]] = found["h"]
    return out


def summed(size: int, at: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Sum of `what` (modulo 2**64) per number of `at`."""
    out = np.zeros(size, dtype="uint64")
    np.add.at(out, at, what)
    return out
