"""Do ids and clusters depend on the order in which deliveries arrive?

    python -m benchmarks linkage_arrival_order --inbox DIR [--arrivals CSV] [--batches N] [--seed N]

Lands the deliveries of `--inbox` in N batches, in order of arrival (`--arrivals`: columns `seq, institution, delivery`; else by quarter
and version), with a run after each; then in a shuffled order; then all at once. Prints the share of records that keep their ids from
batch to batch, and whether the clusters after the last batch equal those of one run over everything. Exit 1 if not.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import pandas as pd

from harmonia.registry import open_registry
from harmonia.registry.identity import resolve_ids
from harmonia.registry.stability import compare_record_ids, find_records_in_changed_clusters
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything

Identities = dict[str, pd.DataFrame]
GOAL = 0.985


def in_order(inbox: Path, arrivals: Path | None) -> list[Path]:
    """Folders of deliveries, relative to the inbox, in order of arrival; without `arrivals` by quarter, version, institution."""
    found = sorted(p.relative_to(inbox) for p in inbox.glob("*/*") if p.is_dir())
    if arrivals is None:
        return sorted(found, key=lambda p: (p.name.split("_v")[0], len(p.name), p.name, p.parent.name))
    known = pd.read_csv(arrivals, dtype=str)
    place = {Path(i) / d: int(n) for n, i, d in zip(known["seq"], known["institution"], known["delivery"], strict=True)}
    return sorted(found, key=lambda p: (place.get(p, len(place) + 1), p))


def cut(order: list[Path], batches: int) -> list[list[Path]]:
    """`order` in so many parts of nearly the same length."""
    edges = [round(n * len(order) / batches) for n in range(batches + 1)]
    return [order[a:b] for a, b in itertools.pairwise(edges)]


def land(inbox: Path, parts: list[list[Path]], work: Path) -> tuple[Identities, list[str], float]:
    """Run after each part. Returns the last identities, a line per batch and entity, and the lowest share of ids kept."""
    place = Workplace.from_paths(work / "inbox", work / "home")
    before: Identities = {}
    lines, lowest = [], 1.0
    for number, part in enumerate(parts, start=1):
        for delivery in part:
            shutil.copytree(inbox / delivery, place.inbox / delivery)
        outcome = run_everything(place, SilentListener())
        now: Identities = outcome.values["identities"]
        for entity, held in before.items():
            registry = open_registry(place.registry)
            found = compare_record_ids(held, now[entity], resolve_ids(registry, held.iloc[:, 2]))
            registry.close()
            lowest = min(lowest, found.share_with_known_id)
            lines.append(
                f"  after batch {number}: {entity:7} {found.records:6} known before, same id {found.share_with_same_id:.2%}, "
                f"with redirects {found.share_with_known_id:.2%}"
            )
        before = now
    return before, lines, lowest


def main() -> None:
    """Both orders against the run at once."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inbox", type=Path, required=True)
    parser.add_argument("--arrivals", type=Path)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1, help="of the shuffled order")
    args = parser.parse_args()
    order = in_order(args.inbox, args.arrivals)
    shuffled = random.Random(args.seed).sample(order, len(order))
    different, lowest_of_all = 0, 1.0
    with tempfile.TemporaryDirectory(prefix="harmonia-batches-") as folder:
        whole, _, _ = land(args.inbox, [order], Path(folder) / "whole")
        for name, deliveries in (("in order of arrival", order), ("shuffled", shuffled)):
            last, lines, lowest = land(args.inbox, cut(deliveries, args.batches), Path(folder) / name.replace(" ", "-"))
            print(f"{args.inbox}, {len(order)} deliveries in {args.batches} batches, {name}:", *lines, sep="\n")
            for entity, ids in whole.items():
                differ = find_records_in_changed_clusters(ids, last[entity])
                different += len(differ)
                lowest_of_all = min(lowest_of_all, lowest)
                print(f"  {entity:7} partition against the run at once: {len(differ)} of {len(ids)} records grouped otherwise")
    print(f"lowest share of ids kept {lowest_of_all:.2%} (goal {GOAL:.1%}); partition {'identical' if not different else 'DIFFERENT'}")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
