"""Is the preview of a verdict what a run with the verdict publishes, and how long does it take?

`python benchmarks/review_consequence.py --home HOME [--verdicts 200] [--seed 1] [--seconds 3600]`: doubtful pairs of the home, half of
them those that move most figures, half at random; each with the verdict against the machine. Each preview is compared, row by row of
`statistics`, with linkage of all records without memory, ids of the identity register (in a copy) and counting of all records.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from harmonia.review.consequence import CELL, Consequences
from harmonia.review.following import current_verdicts
from harmonia.review.pairs import PAIR
from harmonia.review.published import PublishedRun, open_home_registry, published
from harmonia.review.queue import queue
from pipelines.linkage import link
from pipelines.linkage.places import with_first_keys
from pipelines.linkage.standardise import READ
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from warehouse.count import counting_models
from warehouse.count.inputs import CountInputs, run_inputs

STAGES = ("canonical", "identities", "record_status", "findings")


def whole(found: PublishedRun, verdicts: pd.DataFrame, folder: Path) -> pd.Series:
    """`harmonised` of every cell that is not null, of everything linked and counted again under `verdicts`."""
    canonical = {name: found.table("canonical", name)[columns] for name, columns in READ.items()}
    linked = link(canonical, judgements=verdicts)
    copy = shutil.copy(found.home.registry_file, folder / "registry.sqlite")
    registry = open_registry(f"sqlite:///{copy}")
    try:
        cases = assign_ids(registry, "case", linked.cases).rename(columns={"entity_id": "case_id"})
        persons = assign_ids(registry, "person", with_first_keys(linked.persons, linked.listed)).rename(columns={"entity_id": "person_id"})
    finally:
        registry.close()
    persons["record_key"] = linked.persons["record_key"].array
    given = run_inputs(*(lake.open_output(dict, found.home.lake / stage) for stage in STAGES))
    inputs = CountInputs(**{**given.__dict__, "cases": cases, "persons": persons})
    with counting_models(inputs) as models:
        figures = models.frame("statistics", ", ".join([*CELL, "harmonised"]), "harmonised IS NOT NULL")
    return figures.set_index(CELL)["harmonised"].astype("int64")


def main() -> None:
    """Preview, link and count again, compare."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--verdicts", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=3600.0)
    given = options.parse_args()
    place = Workplace.of(None, given.home)
    registry = open_home_registry(place)
    found = published(place.home, registry)
    pairs = queue(found, registry)
    first = pairs.head(given.verdicts // 2)
    pairs = pd.concat([first, pairs.drop(first.index).sample(frac=1, random_state=given.seed)]).head(given.verdicts)
    pairs = pairs.sample(frac=1, random_state=given.seed)
    started = time.perf_counter()
    consequences = Consequences(found, registry)
    print(f"opened in {time.perf_counter() - started:.1f} s; {len(pairs)} pairs", flush=True)
    before = consequences.published["harmonised"]
    took, processor, moved, equal = [], [], 0, 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for _, pair in pairs.iterrows():
            if time.monotonic() - begun > given.seconds:
                break
            one = pair[PAIR].to_frame().T.astype("str")
            verdict = "different" if pair["decision"] == "joined" else "same"
            clock, cpu = time.perf_counter(), time.process_time()
            preview = consequences.of(one, verdict, "benchmark").figures
            took.append(time.perf_counter() - clock)
            processor.append(time.process_time() - cpu)
            further = one.assign(verdict=verdict, steward="benchmark")
            after = whole(found, current_verdicts(registry, found.table("identities", "listed"), further), Path(folder))
            both = pd.concat([before, after], axis=1, keys=["before", "after"]).fillna(0).astype("int64")
            both = both[both["before"] != both["after"]]
            told = preview.set_index(CELL)[["before", "after"]]
            same = both.sort_index().equals(told.sort_index())
            equal, moved = equal + same, moved + (len(both) > 0)
            if not same:
                print(f"{pair['pair']} {verdict}: {len(both)} figures change, {len(told)} were predicted", flush=True)
    consequences.close()
    registry.close()
    print(f"{equal} of {len(took)} equal, {moved} of them move a figure")
    for name, values in (("seconds", took), ("processor seconds", processor)):
        print(f"{name} a preview: median {np.median(values):.2f}, p95 {np.quantile(values, 0.95):.2f}, most {max(values):.2f}")


if __name__ == "__main__":
    main()
