"""Which pairs of records are compared at all, whatever the records: keys in, a stream of pairs out.

Belongs here: the estimate of a key's pairs before any join, the refusal of values that explode, the join, in DuckDB. Does not belong
here: the keys themselves (`blocking` has those of persons), comparison and weights. No value of a key leaves this module: only names
of keys and counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.linkage.hashing import cursor

BATCH = 1 << 20
COUNTS = ["pairs", "refused_values", "refused_records", "refused_pairs"]


@dataclass(frozen=True)
class Key:
    """One blocking key: an SQL expression over `records` (one value, or a list of them), null where the record takes no part."""

    name: str
    expression: str
    catches: str


@dataclass(frozen=True)
class Limits:
    """What a key may cost: a value that more than `records` share says nothing and is refused (300 records are 44,850 pairs); a key
    whose remaining values give more than `pairs_per_record` pairs per record is refused as a whole."""

    records: int = 300
    pairs_per_record: int = 2_000


class Blocks:
    """Pairs of rows that share a value of any key, see `open_blocks`. `report`: a row a key, `key` and `COUNTS`."""

    def __init__(self, database: duckdb.DuckDBPyConnection, keys: tuple[Key, ...], limits: Limits, records: int, linking: bool) -> None:
        self._database, self._linking = database, linking
        self._lists = _hash_values(database, keys, linking)
        self.report = _estimate(database, keys, self._lists, limits)
        self._allowed = self.report.index[self.report["pairs"] <= limits.pairs_per_record * max(records, 1)].tolist()
        for n in self._allowed:
            if self.report.loc[n, "refused_values"]:
                _refuse(database, n, n in self._lists, limits)

    def batches(self, rows: int = BATCH) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The pairs as arrays `left` < `right` (int32) of about `rows`, each pair once, in no order that can be relied on."""
        for place, key in enumerate(self._allowed):
            query = self._join(key, self._allowed[:place])
            for batch in self._database.sql(query).to_arrow_reader(rows):
                if batch.num_rows:
                    yield batch.column(0).to_numpy(), batch.column(1).to_numpy()

    def _join(self, key: int, before: list[int]) -> str:
        """Pairs that share a value of `key` and none of the keys `before`."""
        same = [f"list_has_any(a.k{n}, b.k{n})" if n in self._lists else f"a.k{n} = b.k{n}" for n in before]
        conditions = ["a.value = b.value", "a.id < b.id", *(f"NOT coalesce({s}, false)" for s in same)]
        conditions += ["a.source <> b.source"] * self._linking
        several = key in self._lists
        value = f"unnest(k{key})" if several else f"k{key}"
        carried = "".join(f", k{n}" for n in before) + ", source" * self._linking
        rows = f"SELECT * FROM (SELECT id, {value} AS value{carried} FROM blocks) SEMI JOIN shared{key} USING (value)"
        pairs = f"SELECT {'DISTINCT ' * several}a.id, b.id FROM sharing a JOIN sharing b ON {' AND '.join(conditions)}"
        return f"WITH sharing AS MATERIALIZED ({rows}) {pairs}"


@contextmanager
def open_blocks(
    records: pd.DataFrame, keys: tuple[Key, ...], limits: Limits | None = None, source: str | None = None, threads: int = 2
) -> Iterator[Blocks]:
    """Open the candidate pairs of `records`: rows are numbered from 0, keys name their columns.

    `source`: a column that tells two files apart; then only pairs across them are candidates (two files are linked rather than one
    deduplicated).
    """
    table = pa.Table.from_pandas(records.reset_index(drop=True), preserve_index=False)
    table = table.append_column("_row", pa.array(np.arange(len(records), dtype="int32")))
    if source is not None:
        table = table.append_column("_source", pa.array(pd.factorize(records[source])[0].astype("int32")))
    with cursor(threads) as database:
        database.register("records", table)
        yield Blocks(database, keys, limits or Limits(), len(records), source is not None)


def _hash_values(database: duckdb.DuckDBPyConnection, keys: tuple[Key, ...], linking: bool) -> frozenset[int]:
    """Make `blocks`: a row a record with the hashes of its values of each key as `k0, k1, …`; say which keys hold lists.

    Two values with one hash only mean a pair that is compared for nothing.
    """
    chosen = ", ".join(f"({key.expression}) AS k{n}" for n, key in enumerate(keys))
    types = database.execute(f"DESCRIBE SELECT {chosen} FROM records").fetchall()
    lists = frozenset(n for n, row in enumerate(types) if str(row[1]).endswith("[]"))
    hashes = [
        f"list_distinct(list_transform(list_filter(k{n}, lambda v: v <> ''), lambda v: hash(v))) AS k{n}"
        if n in lists
        else f"CASE WHEN k{n}::VARCHAR <> '' THEN hash(k{n}) END AS k{n}"
        for n in range(len(keys))
    ]
    source = ", _source AS source" * linking
    values = f"SELECT _row AS id{source}, {chosen} FROM records"
    database.execute(f"CREATE TEMP TABLE blocks AS SELECT id{', source' * linking}, {', '.join(hashes)} FROM ({values})")
    return lists


def _estimate(database: duckdb.DuckDBPyConnection, keys: tuple[Key, ...], lists: frozenset[int], limits: Limits) -> pd.DataFrame:
    """Pairs per key before any join, and what is refused; indexed by number of the key."""
    rows = []
    few, many = f"FILTER (n <= {limits.records})", f"FILTER (n > {limits.records})"
    for number, key in enumerate(keys):
        value = f"unnest(k{number})" if number in lists else f"k{number}"
        # Values that a single record bears make no pair: only the others are joined, and kept for that.
        database.execute(
            f"CREATE TEMP TABLE shared{number} AS SELECT value, count(*) AS n FROM (SELECT {value} AS value FROM blocks) "
            "WHERE value IS NOT NULL GROUP BY value HAVING n > 1"
        )
        counts = database.execute(
            f"SELECT sum(n * (n - 1) // 2) {few}, count(*) {many}, sum(n) {many}, sum(n * (n - 1) // 2) {many} FROM shared{number}"
        ).fetchall()[0]
        rows.append((key.name, *(int(count or 0) for count in counts)))
    return pd.DataFrame(rows, columns=["key", *COUNTS])


def _refuse(database: duckdb.DuckDBPyConnection, key: int, is_list: bool, limits: Limits) -> None:
    """Take the values that too many records share out of `blocks`."""
    many = f"FROM shared{key} WHERE n > {limits.records}"
    if is_list:
        kept = f"list_filter(k{key}, lambda v: NOT list_contains(refused.found, v))"
        refused = f"(SELECT list(value) AS found {many}) refused"
        database.execute(f"UPDATE blocks SET k{key} = {kept} FROM {refused} WHERE list_has_any(k{key}, refused.found)")
    else:
        database.execute(f"UPDATE blocks SET k{key} = NULL WHERE k{key} IN (SELECT value {many})")
