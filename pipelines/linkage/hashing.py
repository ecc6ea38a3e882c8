"""64-bit hashes of rows and numbers, the same in every run. Belongs here: hashing. Does not belong here: what a hash is for."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

MIX = np.uint64(0x9E3779B97F4A7C15)


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
    with duckdb.connect(":memory:") as database:
        database.execute("SET threads = 2")
        database.register("rows", table)
        return np.asarray(database.execute(f"SELECT hash({columns}) AS h FROM rows").fetchnumpy()["h"], dtype="uint64")


def summed(size: int, at: np.ndarray, what: np.ndarray) -> np.ndarray:
    """Sum of `what` (modulo 2**64) per number of `at`."""
    out = np.zeros(size, dtype="uint64")
    np.add.at(out, at, what)
    return out
