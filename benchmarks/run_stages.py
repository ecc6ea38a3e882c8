"""What does every stage of a whole run cost, and how much memory does it take?

    python -m benchmarks run_stages --inbox DIR --home DIR [--profile STEP FILE]

Runs as `harmonia run` does, in this process. Of every stage: processor seconds of all processes, wall seconds, peak memory of this
process, and memory at its end (MiB). `--profile`: Python profile of that stage (`police__raw`), for `python -m pstats FILE`.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.process_cost import processor


def memory() -> tuple[int, int]:
    """MiB at most since the last call, and now."""
    said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    return int(said["VmHWM"].split()[0]) // 1024, int(said["VmRSS"].split()[0]) // 1024


class Costs:
    """A listener of a run that prints what each step cost."""

    def __init__(self, profiled: str, file: str) -> None:
        self._profiled, self._file, self._profile = profiled, file, cProfile.Profile()
        self._begun = (processor(os.getpid()), time.monotonic())

    def on_plan(self, steps: Mapping[str, str]) -> None:
        """The head of the table."""
        print(f"{'step':<32}{'processor':>10}{'wall':>8}{'most':>8}{'held':>8}")

    def on_start(self, step: str) -> None:
        """Start the clocks."""
        memory()
        self._begun = (processor(os.getpid()), time.monotonic())
        if step == self._profiled:
            self._profile.enable()

    def on_end(self, step: str, rows: int | None) -> None:
        """The line of a step."""
        if step == self._profiled:
            self._profile.disable()
            self._profile.dump_stats(self._file)
        cpu, wall = self._begun
        most, held = memory()
        print(f"{step:<32}{processor(os.getpid()) - cpu:>10.2f}{time.monotonic() - wall:>8.2f}{most:>8}{held:>8}", flush=True)


def main() -> None:
    """One run. What it needs is imported here: processes of a run import the main module again, and that of `harmonia` is light."""
    from pipelines.resources.workplace import Workplace
    from pipelines.run import run_everything

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inbox", type=Path, required=True)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--profile", nargs=2, default=("", ""), metavar=("STEP", "FILE"))
    args = parser.parse_args()
    begun = (processor(os.getpid()), time.monotonic())
    run_everything(Workplace.from_paths(args.inbox, args.home), Costs(*args.profile))
    print(f"{'whole run':<32}{processor(os.getpid()) - begun[0]:>10.2f}{time.monotonic() - begun[1]:>8.2f}")


if __name__ == "__main__":
    main()
