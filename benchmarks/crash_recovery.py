"""Is anything lost or torn after a run was killed? Goal: nothing, after SIGKILL at named points and random moments.

    python -m benchmarks crash_recovery --kills 500 [--chain 5] [--server] [--fresh] [--edges] [--points N] [--seed 1] [--root DIR]

DIR may lie in memory (/dev/shm): a SIGKILL leaves what the kernel holds. The chains of runs are those of
tests/faults/crash/crash_world.py.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from random import Random

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/faults/crash")]

import crash_world as crash  # noqa: E402
from postgres_world import running  # noqa: E402

from sources.simulator import simulate  # noqa: E402


def main() -> int:
    """Run the chains; exit 1 where anything was wrong."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--kills", type=int, default=500)
    ask.add_argument("--chain", type=int, default=5)
    ask.add_argument("--server", action="store_true")
    ask.add_argument("--fresh", action="store_true")
    ask.add_argument("--edges", action="store_true", help="kill a run's effects alone: many more moments around its writes")
    ask.add_argument("--points", type=int, default=None, help="only so many of the kills at named points; else every one, thrice")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--root", type=Path, default=None)
    said = ask.parse_args()
    root = Path(tempfile.mkdtemp(prefix="harmonia-crash-", dir=said.root))
    draw, begun = Random(said.seed), time.monotonic()
    with running(18) if said.server else nullcontext(None) as server:
        delivered = simulate(root / "set", seed=7, start=2013, years=1, cases_per_year=6).inbox
        world = crash.prepare(root / "world", delivered, server and server.url(), said.fresh)
        for whole, moments in (*world.moments.items(), *world.again.items()):
            print("a whole run:" if whole else "its effects:", f"{moments.operations} operations, {moments.cpu:.1f} s CPU", flush=True)
        named = crash.at_points(world, not said.edges)
        draw.shuffle(named)
        counted, wrong = _campaign(world, named[: said.points], said.kills, said.chain, draw, not said.edges)
    shutil.rmtree(root, ignore_errors=True)
    print(json.dumps({"seconds": round(time.monotonic() - begun), **counted, "wrong": len(wrong)}))
    print("\n".join(wrong))
    return 1 if wrong else 0


def _campaign(
    world: crash.World, named: list[crash.Kill], wanted: int, length: int, draw: Random, whole: bool
) -> tuple[Counter[str], list[str]]:
    """Chains until `wanted` runs were killed, and one by each of the kills `named`."""
    counted: Counter[str] = Counter()
    points: set[str] = set()
    wrong: list[str] = []
    missed: list[crash.Kill] = []
    while counted["kills"] < wanted or named or missed:
        counted["chains"] += 1
        kills = [missed.pop()] if missed else []  # a point of landing, say, that a run on the new state does not reach: now first
        kills += [named.pop() if named and n % 2 == 0 else crash.at_random(draw) for n in range(length - len(kills))]
        died, found = crash.chain(world, "trial", kills, whole)
        for kill, dead in died.items():
            counted["kills" if dead else "ended first"] += 1
            counted[f"at a {kill.kind}"] += dead
            points |= {kill.at.partition(":")[0]} if dead and kill.kind == "point" else set()
        missed += [kill for kill in kills[1:] if kill.kind == "point" and died.get(kill) is False]
        wrong += [f"chain {counted['chains']} {[k.at for k in kills]}: {line}" for line in found]
        print(counted["chains"], dict(counted), *found, sep=" | ", flush=True)
    counted["points"] = len(points)
    return counted, wrong


if __name__ == "__main__":
    sys.exit(main())
