"""How accurate is the linkage? Pairwise precision, recall and F1 of persons and cases against a truth folder.

    python -m benchmarks linkage_accuracy --canonical DIR --truth DIR [--repeat N]

`--canonical`: the canonical tables as Parquet. `--truth`: a folder with `records.csv` (`institution, entity, record_key, case_id,
person_id`). Records whose id is empty are left out; a true record that linkage does not know counts as a separate cluster.
The truth is read here and nowhere else.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.linkage import link_records

TABLES = ("case_records", "person_records", "charges", "events", "references")


@dataclass(frozen=True)
class Score:
    """Pairs of records: together in both (`right`), only as linked (`wrong`), only in truth (`missed`); records not known."""

    right: int
    wrong: int
    missed: int
    unknown: int

    @property
    def precision(self) -> float:
        """Share of linked pairs that are right."""
        return self.right / max(self.right + self.wrong, 1)

    @property
    def recall(self) -> float:
        """Share of true pairs that were linked."""
        return self.right / max(self.right + self.missed, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.right / max(2 * self.right + self.wrong + self.missed, 1)


def score(truth: pd.DataFrame, clusters: pd.DataFrame, entity: str) -> Score:
    """Compare `clusters` (`institution, record_key, cluster`) with `truth` (a `records.csv`) for `entity` `case` or `person`."""
    column = f"{entity}_id"
    known = truth[truth["entity"] == entity].dropna(subset=[column]).drop_duplicates(["institution", "record_key"])
    both = known.merge(clusters, how="left", on=["institution", "record_key"])
    unknown = both["cluster"].isna()
    alone = pd.Series(-1.0 - pd.RangeIndex(len(both)), index=both.index)
    both["cluster"] = both["cluster"].where(~unknown, alone)
    right = _pairs(both.groupby([column, "cluster"]).size())
    linked, true = _pairs(both.groupby("cluster").size()), _pairs(both.groupby(column).size())
    return Score(right, linked - right, true - right, int(unknown.sum()))


def _pairs(sizes: pd.Series) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def main() -> None:
    """Link, score, print a line per entity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--canonical", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=1, help="link so many times and report the fastest")
    args = parser.parse_args()
    canonical = {name: pd.read_parquet(args.canonical / f"{name}.parquet") for name in TABLES}
    seconds = []
    for _ in range(max(args.repeat, 1)):
        start = time.perf_counter()
        linked = link_records(canonical)
        seconds.append(time.perf_counter() - start)
    truth = pd.read_csv(args.truth / "records.csv", dtype=str)
    for entity, clusters in (("person", linked.persons), ("case", linked.cases)):
        s = score(truth, clusters, entity)
        print(
            f"{args.canonical.name:14} {entity:6} F1 {s.f1:.4f}  precision {s.precision:.4f}  recall {s.recall:.4f}  "
            f"wrong {s.wrong}  missed {s.missed}  unknown {s.unknown}"
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{args.canonical.name:14} {min(seconds):.2f} s, {memory} MiB at most, model {linked.statistics['model']}")


if __name__ == "__main__":
    main()
