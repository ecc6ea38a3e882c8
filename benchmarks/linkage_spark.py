"""What does linkage cost when Spark makes and scores the candidate pairs, beside one process, and is the result the same?

    .venv-spark/bin/python -m benchmarks linkage_spark --home DIR [--master local[2]]

`--home`: of a run with as many person records as are to be linked (a million: `harmonia simulate --years 5 --cases-per-year 20000`). Links
its canonical records in process, then with pairs from Spark, each in a separate process. Prints seconds, processor seconds and peak
memory of all their processes (Java included), and how many records are in another cluster. Needs the extra `spark`, Java 17, and for a
million records `PYSPARK_SUBMIT_ARGS="--driver-memory 8g pyspark-shell"`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import pandas as pd

from benchmarks.linkage_incremental import TABLES
from benchmarks.process_cost import processor, resident
from harmonia.registry.stability import find_records_in_changed_clusters
from pipelines.linkage import link_records
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import COLUMNS_READ
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace


def canonical_tables(home: Path) -> dict[str, pd.DataFrame]:
    """Return the columns of the canonical tables of a home that linkage reads."""
    tables = lake.open_stored_output(dict, Workplace.from_paths(None, home).home.lake / "canonical")
    return {name: tables[name][COLUMNS_READ[name]] for name in TABLES}


def link_and_measure(home: Path, master: str | None, out: Path) -> None:
    """Link in this process, print what it cost, and write the clusters of cases and persons to the folder `out`."""
    tables = canonical_tables(home)
    done, peak = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.5):
            peak[0] = max(peak[0], resident(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    clock, used = time.perf_counter(), processor(os.getpid())
    try:
        linked = link_records(tables, spark=SplinkOnSpark.for_master(master) if master else None)
    finally:
        done.set()
        watcher.join()
    seconds, used = time.perf_counter() - clock, processor(os.getpid()) - used
    pairs = linked.statistics["person_pairs_blocked"]
    print(f"{master or 'one process'}: {len(linked.persons)} person records, {pairs} candidate pairs", end="; ")
    print(f"{seconds:.1f} s, {used:.1f} CPU s, peak {peak[0]} MiB; load {os.getloadavg()[0]:.1f}", flush=True)
    for entity in ("cases", "persons"):
        getattr(linked, entity).to_parquet(out / f"{entity}.parquet")


def main() -> None:
    """Link twice and compare."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.out:
        link_and_measure(options.home, options.alone, options.out)
        return
    with tempfile.TemporaryDirectory(prefix="harmonia-spark-") as folder:
        results = []
        for n, master in enumerate((None, options.master)):
            out = Path(folder) / str(n)
            out.mkdir()
            command = [sys.executable, "-m", "benchmarks", "linkage_spark", "--home", str(options.home), "--out", str(out)]
            subprocess.run([*command, *(["--alone", master] if master else [])], check=True)
            results.append({entity: pd.read_parquet(out / f"{entity}.parquet") for entity in ("cases", "persons")})
        for entity in ("cases", "persons"):
            one, other = (result[entity] for result in results)
            print(f"{entity}: {len(find_records_in_changed_clusters(one, other))} of {len(one)} records in another cluster")


if __name__ == "__main__":
    main()
