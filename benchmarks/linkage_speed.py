"""How fast is our engine beside Splink 5, and how much memory do they need?

    python -m benchmarks linkage_speed [--job febrl4 --job tight --job loose] [--records N] [--repeat N]

Same machine, run, records, levels and blocking rules, two threads each. Jobs: `febrl4` (train and score), `tight` (synthetic records,
about one pair in three records, score), `loose` (the same records, tens of pairs a record, score). Each run is a separate process, in
turns, and starts with the records in memory; imports are measured separately. Both keep the pairs with a match weight of at least -5.
*CPU*: user and system time of all threads, which says more than seconds on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

LEAST = -5.0
JOBS = ("febrl4", "tight", "loose")


def one(job: str, engine: str, records: int) -> dict[str, float]:
    """Run one engine on one job, in this process."""
    from benchmarks.linkage_engines import ENGINES
    from benchmarks.linkage_public_data import febrl4, synthetic

    data = febrl4(Path()) if job == "febrl4" else synthetic(records, job == "loose")
    start, memory = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if engine == "splink":
        import splink.internals.duckdb.database_api  # noqa: F401 - only to see how long it takes
    else:
        import benchmarks.linkage_estimate  # noqa: F401
    imported, cpu = time.perf_counter(), time.process_time()
    done = ENGINES[engine](data, LEAST, job == "febrl4")
    return {
        "pairs_kept": len(done.left),
        "import_s": imported - start,
        "s": time.perf_counter() - imported,
        "cpu_s": time.process_time() - cpu,
        "before_mib": memory / 1024,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Run every job with both engines in turns and print the fastest of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", choices=JOBS, action="append", dest="jobs")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.engine:
        print(json.dumps(one(args.jobs[0], args.engine, args.records)))
        return
    for job in args.jobs or JOBS:
        runs = []
        for _ in range(args.repeat):
            for engine in ("ours", "splink"):
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.linkage_speed", "--job", job, "--engine", engine]
                out = subprocess.run([*command, "--records", str(args.records)], check=True, capture_output=True, text=True).stdout
                runs.append({"job": job, "engine": engine, **json.loads(out.strip().splitlines()[-1])})
        table = pd.DataFrame(runs).groupby(["job", "engine"], as_index=False).min()
        print(table.round(2).to_string(index=False))
        times = table.set_index("engine")
        wall, cpu = (times.at["splink", c] / times.at["ours", c] for c in ("s", "cpu_s"))
        print(f"  faster by {wall:.1f} (CPU {cpu:.1f})")


if __name__ == "__main__":
    main()
