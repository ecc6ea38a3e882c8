"""What does a whole run cost as history grows, and what does one more quarter cost on top?

    python -m benchmarks run_growth --inbox DIR [--years 1 8] [--work DIR] [--stages]

`--inbox`: deliveries of at least the longest of `--years` and a quarter (`harmonia simulate`). For each length: `harmonia run` in a new
home over so many years, then the next quarter is added and it runs again. Prints processor and wall seconds and peak memory of each run
with all its processes, and the cost of the quarter relative to the one after the shortest history. `--stages`: the console output of each
run. `--work`: where homes are kept; else they are removed.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process_cost import processor, resident

GOAL = 1.5
HARMONIA = Path(sys.executable).with_name("harmonia")
_LOOK = 0.2  # seconds between two looks at what a run has cost


@dataclass(frozen=True)
class Cost:
    """Of one run with all its processes: processor seconds, wall seconds, most memory in MiB."""

    cpu: float
    wall: float
    memory: int


def deliveries_of(inbox: Path, quarters: list[str]) -> list[Path]:
    """Folders of the deliveries for `quarters`, all versions, relative to the inbox."""
    return sorted(p.relative_to(inbox) for p in inbox.glob("*/*") if p.is_dir() and p.name.split("_")[0] in quarters)


def bring(inbox: Path, quarters: list[str], into: Path) -> int:
    """Copy the deliveries for `quarters`; returns how many."""
    found = deliveries_of(inbox, quarters)
    for delivery in found:
        shutil.copytree(inbox / delivery, into / delivery)
    return len(found)


def run(inbox: Path, home: Path, show: bool) -> Cost:
    """`harmonia run` in a separate process. Exits with its output if it fails."""
    begun, cpu, most = time.monotonic(), 0.0, 0
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen([HARMONIA, "run", "--inbox", inbox, "--home", home], stdout=said, stderr=subprocess.STDOUT, text=True)
        while child.poll() is None:
            cpu, most = max(cpu, processor(child.pid)), max(most, resident(child.pid))
            time.sleep(_LOOK)
        said.seek(0)
        if child.returncode:
            sys.exit(said.read())
        if show:
            print(said.read())
    return Cost(cpu, time.monotonic() - begun, most)


def grow(inbox: Path, years: int, work: Path, show: bool) -> Cost:
    """A run over so many years, then one with a quarter more: its cost."""
    quarters = sorted({p.name.split("_")[0] for p in inbox.glob("*/*") if p.is_dir()})
    if len(quarters) <= 4 * years:
        sys.exit(f"{inbox} holds {len(quarters)} quarters: too few for {years} years and a quarter")
    for what, new in ((f"{years} years", quarters[: 4 * years]), ("a quarter more", quarters[4 * years : 4 * years + 1])):
        came = bring(inbox, new, work / "inbox")
        cost = run(work / "inbox", work / "home", show)
        print(f"{what:>16}: {came:4} deliveries, {cost.cpu:7.1f} s processor, {cost.wall:7.1f} s wall, {cost.memory:6} MiB", flush=True)
    return cost


def main() -> None:
    """Every length of history in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inbox", type=Path, required=True)
    parser.add_argument("--years", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--work", type=Path)
    parser.add_argument("--stages", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="harmonia-growth-") as folder:
        first: Cost | None = None
        for years in args.years:
            cost = grow(args.inbox, years, (args.work or Path(folder)) / f"{years}-years", args.stages)
            first = first or cost
            print(f"  a quarter after {years} years against one after {args.years[0]}: {cost.cpu / first.cpu:.2f} (goal {GOAL})")


if __name__ == "__main__":
    main()
