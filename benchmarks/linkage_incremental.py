"""What does one more quarter cost after a short and after a long history, and is it all the same as a run over everything at once?

    python benchmarks/linkage_incremental.py --home DIR [--short 1] [--long 8] [--repeat N]

`--home`: one in which at least `--long` years and a quarter were run (`harmonia simulate --years 9`, `harmonia run`). Links the
records of so many years and a quarter, as a run does when that quarter has come, and says the processor time (the fastest of N).
Then links the long history with its rows in another order, and latest quarter first, and says how many records are grouped otherwise.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from pathlib import Path

import pandas as pd

from pipelines.linkage import Linked, link
from pipelines.registry.stability import regrouped

TABLES = ("case_records", "person_records", "charges", "events", "references")
GOAL = 1.5
Tables = dict[str, pd.DataFrame]


def until(tables: Tables, quarters: list[str]) -> Tables:
    """The states that deliveries of `quarters` held."""
    return {name: frame[frame["delivery"].str.split("_").str[0].isin(quarters)].reset_index(drop=True) for name, frame in tables.items()}


def timed(tables: Tables, repeat: int) -> tuple[Linked, float]:
    """What linkage found, and the processor seconds of the fastest run."""
    fastest = float("inf")
    for _ in range(repeat):
        begun = time.process_time()
        linked = link(tables)
        fastest = min(fastest, time.process_time() - begun)
    return linked, fastest


def main() -> None:
    """Time both histories, compare orders."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--short", type=int, default=1)
    parser.add_argument("--long", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    tables = {name: pd.read_parquet(args.home / "lake" / "canonical" / f"{name}.parquet") for name in TABLES}
    quarters = sorted(tables["person_records"]["delivery"].str.split("_").str[0].unique())
    link(until(tables, quarters[:1]))  # imports and caches are not what is measured
    seconds = []
    for years in (args.short, args.long):
        linked, took = timed(until(tables, quarters[: 4 * years + 1]), args.repeat)
        seconds.append(took)
        told = linked.statistics
        print(f"{years} years and a quarter: {told['person_records']} person records, {told['person_pairs_compared']} pairs, {took:.2f} s")
    print(f"ratio {seconds[1] / seconds[0]:.2f} (goal {GOAL}); {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB at most")
    history = quarters[: 4 * args.long + 1]
    parts = [until(tables, [quarter]) for quarter in reversed(history)]
    turned = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in TABLES}
    shuffled = {name: frame.sample(frac=1.0, random_state=1) for name, frame in until(tables, history).items()}
    for what, other in (("latest quarter first", turned), ("rows shuffled", shuffled)):
        found = link(other)
        differ = len(regrouped(linked.persons, found.persons)) + len(regrouped(linked.cases, found.cases))
        print(f"{what}: {differ} of {len(found.persons) + len(found.cases)} records grouped otherwise")


if __name__ == "__main__":
    main()
