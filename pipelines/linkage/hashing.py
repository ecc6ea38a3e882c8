"""64-bit hashes of rows and numbers, the same in every run; the connection that they are made with. Does not belong here: what for."""

from __future__ import annotations

from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

MIX = np.uint64(0x9E3779B97F4A7C15)


@cache
def _database(threads: int) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(":memory:")
    database.execute(f"SET threads = {threads}; SET preserve_insertion_order = false")
    return database


def cursor(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """A connection to an empty database that others use too (tables must be temporary): to open one takes longer than most questions.

    Most are short, and of long ones a second thread of `threads` hardly makes any shorter.
    """
    return _database(threads).cursor()


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
    columns = {f"c{n}": pa.array(frame[name], from_pandas=True) for n, name in enumerate(frame.columns)}
    with cursor() as database:
        database.register("rows", pa.table({**columns, "n": np.arange(len(frame))}))
        # Rows are numbered, since they come back in no order.
        found = database.execute(f"SELECT n, hash({', '.join(columns)}) AS h FROM rows").fetchnumpy()
    out = np.empty(len(frame), dtype="uint64")
    out[found["n"]] = found["h"]
    return out


def summed(size: int, at: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Sum of `what` (modulo 2**64) per number of `at`."""
    out = np.zeros(size, dtype="uint64")
    np.add.at(out, at, what)
    return out
