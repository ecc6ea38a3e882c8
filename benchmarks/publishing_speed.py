"""How long does publishing take? DuckDB files, PostgreSQL tables built, PostgreSQL rows replaced, comparison row by row.

    python -m benchmarks publishing_speed [--rows 300000]

Every table has the same share of the rows (`publishing_while_reading.numbered`), so that only the sum over all tables and stores counts.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.publishing_while_reading import numbered, server
from warehouse import postgres
from warehouse.compare import compare_stores
from warehouse.publish import publish_stores
from warehouse.server import access as access
from warehouse.stores import Stores


def timed(what: str, work: Callable[[], object]) -> None:
    """Do it, say how long it took."""
    begun, processor = time.perf_counter(), time.process_time()
    work()
    print(f"{what}: {time.perf_counter() - begun:.1f} s, of them {time.process_time() - processor:.1f} s in this process")


def main() -> None:
    """Publish twice, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000, help="rows of every table")
    args = parser.parse_args()

    def to_server(url: str, stores: Stores) -> None:
        with postgres.prepare_publication(url, stores) as commit:
            commit()

    with tempfile.TemporaryDirectory() as folder, server(18) as url:
        one, two = numbered(1, args.rows), numbered(2, args.rows)
        print(f"{sum(len(frame) for frames in one.values() for frame in frames.values())} rows in {len(one)} stores")
        timed("DuckDB", lambda: publish_stores(one, Path(folder)))
        if url:
            access.apply_access_matrix_to_server(url)
            timed("PostgreSQL, tables built", lambda: to_server(url, two))
            timed("PostgreSQL, rows replaced", lambda: to_server(url, one))
            timed(
                "compared row for row",
                lambda: print(compare_stores(Path(folder), url)[["rows", "only_duckdb", "only_postgresql"]].sum().to_dict()),
            )
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB at most in this process")


if __name__ == "__main__":
    main()
