"""What do hostile deliveries cost a run? Seconds and memory beyond a run without them; figures of others that change (goal: none).

    python -m benchmarks hostile_deliveries [--root DIR] [NAME …]

The deliveries are those of tests/faults/hostile_world.py; each is put beside a year of five institutions that was published before.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/faults")]

from hostile_trial import prepare, run, tried  # noqa: E402
from hostile_world import HOSTILE  # noqa: E402

_SECONDS, _MIB = 300, 2048  # goals of issue 15: never more


def main() -> int:
    """Try each; exit 1 where a run failed, took too much or published less of the others."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--root", type=Path, default=None)
    ask.add_argument("names", nargs="*")
    said = ask.parse_args()
    root = Path(tempfile.mkdtemp(prefix="harmonia-hostile-", dir=said.root))
    world = prepare(root)
    again = run(world.inbox, world.home, {})
    print(f"without: {again.seconds:.0f} s, {again.peak} MiB", flush=True)
    bad = 0
    for name in said.names or HOSTILE:
        done = tried(world, HOSTILE[name], root / name)
        shutil.rmtree(root / name, ignore_errors=True)
        wrong = done.code != 0 or done.changed != 0 or done.seconds - again.seconds > _SECONDS or done.peak - again.peak > _MIB
        bad += wrong
        cost = f"{done.seconds - again.seconds:+.0f} s, {done.peak - again.peak:+d} MiB"
        told = f"exit {done.code}, {cost}, {done.changed} figures changed, {done.state}"
        print(f"{'WRONG ' if wrong else ''}{name}: {told}: {', '.join(done.rules[:4])}", flush=True)
        if done.code:
            print(done.said[-600:], flush=True)
    shutil.rmtree(root, ignore_errors=True)
    print(f"{bad} of {len(said.names or HOSTILE)} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
