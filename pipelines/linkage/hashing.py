"""Stable 64-bit hashes of rows and of numbers, and the in-memory database that computes the hashes of rows.

Does not belong here: what the hashes are used for.
"""

from __future__ import annotations

from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

MIX = np.uint64(0x9E3779B97F4A7C15)


@cache
def _make_shared_database(threads: int) -> duckdb.DuckDBPyConnection:
    """Make an empty in-memory database; later calls return the same one."""
    database = duckdb.connect(":memory:")
    database.execute(f"SET threads = {threads}; SET preserve_insertion_order = false")
    return database


def open_shared_in_memory_database(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """Open a connection to an in-memory database that all callers share, since a new database takes longer to open than most queries run.

    Only temporary tables may be created in it. One thread is the default, since most queries are short and long ones hardly gain from a
    second thread.
    """
    return _make_shared_database(threads).cursor()


def mix_hashes(*parts: np.ndarray) -> np.ndarray:
    """Combine the numbers at the same position of all `parts` into one 64-bit hash. The order of `parts` matters."""
    out = np.zeros(len(parts[0]), dtype="uint64")
    for part in parts:
        out = (out ^ part.astype("uint64")) * MIX
        out ^= out >> np.uint64(29)
    return out


def hash_rows(frame: pd.DataFrame) -> np.ndarray:
    """Return a 64-bit hash of every row of `frame`."""
    if frame.empty:
        return np.empty(0, dtype="uint64")
    columns = {f"c{n}": pa.array(frame[name], from_pandas=True) for n, name in enumerate(frame.columns)}
    with open_shared_in_memory_database() as database:
        database.register("rows", pa.table({**columns, "n": np.arange(len(frame))}))
        # Rows are numbered because the result is not ordered.
        result = database.execute(f"SELECT n, hash({', '.join(columns)}) AS h FROM rows").fetchnumpy()
    out = np.empty(len(frame), dtype="uint64")
    out[result["n"]] = result["h"]
    return out


def sum_hashes_by_number(number_count: int, numbers: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return, for each number from 0 to `number_count` - 1, the sum (modulo 2**64) of the `hashes` that have this number in `numbers`."""
    out = np.zeros(number_count, dtype="uint64")
    np.add.at(out, numbers, hashes)
    return out
