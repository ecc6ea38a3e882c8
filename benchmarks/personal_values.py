"""Are names or personal numbers found outside the personal stores of a home, or in anything handed out? Goal: none.

    python -m benchmarks personal_values INBOX TRUTH HOME

Runs the inbox into HOME (a new folder), creates a release, every export and report in every language and a backup (HOME-kept), and
searches logs, Dagster's storage, the ledger, warehouse, analysts' warehouse, releases, explorer, exports, reports and file names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import duckdb
from personal_world import found, own_words, persons, taken_out, texts

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from warehouse.disclosure import policy


def main() -> int:
    """Run, take out, search; exit 1 where anybody is found."""
    inbox, truth, home = map(Path, sys.argv[1:4])
    run_everything(Workplace.from_paths(inbox, home), SilentListener())
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        (newest,) = warehouse.execute("SELECT max(period) FROM statistics WHERE length(period) = 4").fetchall()[0]
    taken_out(home, f"{int(newest) + 1}-06-30", newest, policy.SHIPPED.read_text("utf-8"))
    numbers, names = persons(truth)
    where = found(home, truth, {})
    told = {"numbers": len(numbers), "names": len(names), "of them also words of the program": sorted(names & own_words())}
    print(json.dumps({**told, "texts": sum(1 for _ in texts(home)), "found": where}, indent=1))
    return int(bool(where))


if __name__ == "__main__":
    sys.exit(main())
