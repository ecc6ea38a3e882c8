"""Which pairs of records are compared at all, whatever the records: keys in, a stream of pairs out.

Belongs here: the values of keys, from DuckDB, the count of a key's pairs before any is made, the refusal of values that explode. Does not
belong here: the keys themselves (`blocking` has those of persons), how rows that share a value make pairs (`sharing`), comparison and
weights. No value of a key leaves this module: only names of keys and counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.linkage.hashing import cursor
from pipelines.linkage.sharing import CHUNK, Groups, Pairs, grouped, joined, perhaps_shared

Hashed = tuple[np.ndarray, np.ndarray]
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


@dataclass(frozen=True)
class Blocks:
    """Rows that share a value of any key. `report`: a row a key, `key` and `COUNTS`; `file`: of each row, where only pairs across two files
    are candidates."""

    groups: Groups
    report: pd.DataFrame
    file: np.ndarray | None

    def sample(self, most: int) -> tuple[Iterator[Pairs], float]:
        """About `most` of the pairs at most, from stretches of rows all over the records; and for how many pairs each of them stands."""
        many = self.groups.many_pairs
        stretches, every = max(-(-many // CHUNK), 1), max(-(-many // most), 1)
        return self.batches(every), stretches / -(-stretches // every)

    def batches(self, every: int = 1) -> Iterator[Pairs]:
        """The pairs as arrays `left` < `right`, some at a time, each pair once; of every so manyeth stretch of rows alone."""
        for left, right in self.groups.pairs(chunk=CHUNK, turn=(0, every)):
            if self.file is None:
                yield left, right
            else:
                across = self.file[left] != self.file[right]
                yield left[across], right[across]


def find_blocks(
    records: pd.DataFrame, keys: tuple[Key, ...], limits: Limits | None = None, source: str | None = None, threads: int = 2
) -> Blocks:
    """The candidate pairs of `records`: rows are numbered from 0, keys name their columns.

    `source`: a column that tells two files apart; then only pairs across them are candidates (two files are linked rather than one
    deduplicated).
    """
    limits = limits or Limits()
    found, counts = [], []
    for value, row in _ahead(_values(records, keys, threads)):
        groups = grouped(*perhaps_shared(value, row), len(records))[0]
        refused, kept = groups.at(groups.sizes > limits.records), groups.at(groups.sizes <= limits.records)
        counts.append((kept.many_pairs, len(refused.sizes), len(refused.row), refused.many_pairs))
        if kept.many_pairs <= limits.pairs_per_record * max(len(records), 1):
            found.append(kept)
    report = pd.DataFrame(counts, columns=COUNTS)
    report.insert(0, "key", [key.name for key in keys])
    return Blocks(joined(found, len(records)), report, None if source is None else pd.factorize(records[source])[0])


def _ahead(values: Iterator[Hashed]) -> Iterator[Hashed]:
    """Each of the values, those of the next key being hashed in the meantime."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, values, None)
        while (here := waiting.result()) is not None:
            waiting = pool.submit(next, values, None)
            yield here


def _values(records: pd.DataFrame, keys: tuple[Key, ...], threads: int) -> Iterator[Hashed]:
    """Hashes of the values of each key, and their rows.

    Two values with one hash only mean a pair that is compared for nothing.
    """
    table = pa.Table.from_pandas(records.reset_index(drop=True), preserve_index=False)
    table = table.append_column("_row", pa.array(np.arange(len(records), dtype="int32")))
    with cursor(threads) as database:
        database.register("records", table)
        for key in keys:
            values = f"SELECT _row, ({key.expression}) AS v FROM records"
            if str(database.execute(f"DESCRIBE {values}").fetchall()[1][1]).endswith("[]"):
                values = f"SELECT _row, unnest(list_distinct(v)) AS v FROM ({values})"
            found = database.execute(f"SELECT _row, CASE WHEN v::VARCHAR <> '' THEN hash(v) END AS h FROM ({values})").fetchnumpy()
            value = np.ma.asarray(found["h"])  # masked where there is none
            yield value.compressed(), np.asarray(found["_row"])[~np.ma.getmaskarray(value)]
