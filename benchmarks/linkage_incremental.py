"""What does linkage of one more quarter cost after a short and after a long history, and is the result the same as all at once?

    python -m benchmarks linkage_incremental --home DIR [--short 1] [--long 8] [--repeat N]

`--home`: of a run over at least `--long` years and a quarter (`harmonia simulate --years 9`, `harmonia run`). Links the records of so
many years, then a quarter more with the stored results, as a run does. Prints the processor time of the second step (all processes,
fastest of N), the components decided again, the time without stored results, and how many records are clustered differently without
stored results, with rows in another order, and with the latest quarter first.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import tempfile
import warnings
from pathlib import Path

import pandas as pd

from benchmarks.process_cost import processor
from harmonia.registry.stability import find_records_in_changed_clusters
from pipelines.linkage import LinkageResult, link_records

TABLES = ("case_records", "person_records", "charges", "events", "references")
GOAL = 1.5
Tables = dict[str, pd.DataFrame]


def until(tables: Tables, quarters: list[str]) -> Tables:
    """The states that deliveries of `quarters` held."""
    return {name: frame[frame["delivery"].str.split("_").str[0].isin(quarters)].reset_index(drop=True) for name, frame in tables.items()}


def timed(tables: Tables, repeat: int, memory: Path | None = None) -> tuple[LinkageResult, float]:
    """What linkage found, and the processor seconds of the fastest run; every run finds the same memory."""
    fastest = float("inf")
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(prefix="harmonia-memory-") as folder:
            place = Path(folder) / "memory"
            if memory is not None and memory.exists():
                shutil.copytree(memory, place)
            begun = processor(os.getpid())
            linked = link_records(tables, memory_folder=None if memory is None else place)
            fastest = min(fastest, processor(os.getpid()) - begun)
    return linked, fastest


def quarter_more(tables: Tables, quarters: list[str], years: int, repeat: int) -> tuple[LinkageResult, float]:
    """A quarter more after so many years, with the memory of those: what was found, the processor seconds."""
    with tempfile.TemporaryDirectory(prefix="harmonia-memory-") as folder:
        memory = Path(folder) / "memory"
        link_records(until(tables, quarters[: 4 * years]), memory_folder=memory)
        linked, took = timed(until(tables, quarters[: 4 * years + 1]), repeat, memory)
    told = linked.statistics
    parts = f"{told['components_decided']} of {told['components']} components decided" if "components" in told else "decided as a whole"
    print(f"{years} years and a quarter: {told['person_records']} person records, {parts}, {took:.2f} s")
    return linked, took


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
    link_records(until(tables, quarters[:1]))  # imports and caches are not what is measured
    seconds = []
    for years in (args.short, args.long):
        linked, took = quarter_more(tables, quarters, years, args.repeat)
        seconds.append(took)
    print(f"ratio {seconds[1] / seconds[0]:.2f} (goal {GOAL}); {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB at most")
    history = quarters[: 4 * args.long + 1]
    full, took = timed(until(tables, history), args.repeat)
    print(f"{args.long} years and a quarter without memory: {took:.2f} s")
    parts = [until(tables, [quarter]) for quarter in reversed(history)]
    turned = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in TABLES}
    shuffled = {name: frame.sample(frac=1.0, random_state=1) for name, frame in until(tables, history).items()}
    found_of = {"without memory": full, "latest quarter first": link_records(turned), "rows shuffled": link_records(shuffled)}
    for what, found in found_of.items():
        differ = len(find_records_in_changed_clusters(linked.persons, found.persons)) + len(
            find_records_in_changed_clusters(linked.cases, found.cases)
        )
        print(f"{what}: {differ} of {len(found.persons) + len(found.cases)} records grouped otherwise")


if __name__ == "__main__":
    main()
