"""What does one step of a run cost over the lake of a run that ended? The home is read and not written.

    python -m benchmarks.run_step STEP --home HOME [--new-registry] [--profile FILE]

STEP is `canonical`, `standing`, `findings`, `comparison`, `identities`, `warehouse`, or `<institution>/current`. The registry is copied, or
begun anew with `--new-registry` (then `identities` gives every id, `comparison` makes every round). Says processor and wall seconds and the
most memory of this process (MiB), the modules loaded before; `--profile`: what Python did, for `python -m pstats FILE`.
"""

from __future__ import annotations

import argparse
import cProfile
import inspect
import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.processes import processor
from pipelines.definitions import SHAPES, all_assets
from pipelines.home import Home
from pipelines.resources.lake import Made
from pipelines.resources.workplace import Workplace

_STEPS = ("canonical", "standing", "findings", "comparison", "identities", "warehouse")  # into a folder that is gone afterwards


def place_of(home: Home, folder: Path, *, new: bool) -> Workplace:
    """A work place in `folder` whose registry and key are copies."""
    for kept in ("pseudonym.key", *(() if new else ("registry.sqlite",))):
        if (home.root / kept).exists():
            shutil.copy(home.root / kept, folder)
    place = Workplace(folder, Home(folder))
    place.home.lake.mkdir(parents=True, exist_ok=True)
    return place


def main() -> None:
    """One step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--new-registry", action="store_true")
    parser.add_argument("--profile", type=Path)
    args = parser.parse_args()
    assets = {"/".join(asset.key.path): asset for asset in all_assets()}
    if args.step not in assets or (args.step not in _STEPS and not args.step.endswith("/current")):
        parser.error(f"STEP is one of {', '.join(_STEPS)}, <institution>/current")
    asset, home = assets[args.step], Home(args.home.absolute())
    made = Made(home.lake, list(assets), SHAPES)
    wanted = inspect.signature(asset.op.compute_fn.decorated_fn).parameters  # type: ignore[union-attr]
    any_name = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in wanted.values())
    names = {name: key for name, key in asset.keys_by_input_name.items() if any_name or name in wanted}
    with tempfile.TemporaryDirectory() as folder, dg.build_asset_context() as context:
        place = place_of(home, Path(folder), new=args.new_registry)
        given: dict[str, Any] = {name: made["/".join(key.path)] for name, key in names.items()}
        profile, begun = cProfile.Profile(), (processor(os.getpid()), time.monotonic())
        if args.profile:
            profile.enable()
        asset(context, **given, workplace=place)
        if args.profile:
            profile.disable()
            profile.dump_stats(args.profile)
        cpu, wall = processor(os.getpid()) - begun[0], time.monotonic() - begun[1]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{args.step}: {cpu:.1f} s of processor time, {wall:.1f} s by the clock, at most {most} MiB")


if __name__ == "__main__":
    main()
