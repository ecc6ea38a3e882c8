"""Is the preview of a verdict what a run with the verdict publishes, and how long does it take?

`python benchmarks/review_consequence.py --home HOME [--home HOME …] [--verdicts 200] [--seed 1] [--seconds 3600]`: doubtful pairs of the
homes, as many of each; half of them those that move most figures, half at random; each with the verdict against the machine. Each preview
is compared, row by row of `statistics`, as reported and harmonised, with linkage of all records without memory, ids of the identity
register (in a copy) and counting of all records.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from harmonia.registry import Registry, open_registry
from harmonia.registry.identity import assign_ids
from harmonia.review.consequence import CELL, VerdictPreviews
from harmonia.review.following import read_current_verdicts
from harmonia.review.pairs import PAIR
from harmonia.review.published import PublishedRun, find_last_published_run, open_home_registry
from harmonia.review.queue import list_doubtful_pairs
from pipelines.linkage import link_records
from pipelines.linkage.list_positions import replace_record_keys_by_first_keys
from pipelines.linkage.standardise import COLUMNS_READ
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from warehouse.count import open_database_of_counting_models
from warehouse.count.inputs import CountInputs, collect_run_inputs

STAGES = ("canonical", "identities", "record_status", "findings")
MEASURES = ["as_reported", "harmonised"]


def whole(found: PublishedRun, verdicts: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """`MEASURES` of every cell that is not null, of everything linked and counted again under `verdicts`."""
    canonical = {name: found.read_lake_table("canonical", name)[columns] for name, columns in COLUMNS_READ.items()}
    linked = link_records(canonical, judgements=verdicts)
    copy = shutil.copy(found.home.registry_file, folder / "registry.sqlite")
    registry = open_registry(f"sqlite:///{copy}")
    try:
        cases = assign_ids(registry, "case", linked.cases).rename(columns={"entity_id": "case_id"})
        persons = assign_ids(registry, "person", replace_record_keys_by_first_keys(linked.persons, linked.listed)).rename(
            columns={"entity_id": "person_id"}
        )
    finally:
        registry.close()
    persons["record_key"] = linked.persons["record_key"].array
    given = collect_run_inputs(*(lake.open_stored_output(dict, found.home.lake / stage) for stage in STAGES))
    inputs = CountInputs(**{**given.__dict__, "cases": cases, "persons": persons})
    with open_database_of_counting_models(inputs) as models:
        figures = models.read_frame("statistics", ", ".join([*CELL, *MEASURES]), "harmonised IS NOT NULL")
    return figures.set_index(CELL)[MEASURES].astype("int64")


def changed(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The figures that differ: measure and `CELL` as index, before, after; an absent cell is 0."""
    both = pd.concat({"before": before.stack(), "after": after.stack()}, axis=1).fillna(0).astype("int64")
    return both[both["before"] != both["after"]].sort_index()


def compared(
    found: PublishedRun, registry: Registry, number: int, seed: int, until: float
) -> Iterator[tuple[str, int, int, bool, float, float]]:
    """Pair and verdict, figures that change, figures foretold, whether they are the same, seconds and processor seconds of the preview."""
    pairs = list_doubtful_pairs(found, registry)
    first = pairs.head(number // 2)
    pairs = pd.concat([first, pairs.drop(first.index).sample(frac=1, random_state=seed)]).head(number)
    begun = time.perf_counter()
    consequences = VerdictPreviews(found, registry)
    print(f"{found.home.root}: opened in {time.perf_counter() - begun:.1f} s; {len(pairs)} pairs", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for _, pair in pairs.sample(frac=1, random_state=seed).iterrows():
            if time.monotonic() > until:
                break
            one = pair[PAIR].to_frame().T.astype("str")
            verdict = "different" if pair["decision"] == "joined" else "same"
            clock, cpu = time.perf_counter(), time.process_time()
            preview = consequences.preview_verdict(one, verdict, "benchmark")
            took, processor = time.perf_counter() - clock, time.process_time() - cpu
            further = one.assign(verdict=verdict, steward="benchmark")
            after = whole(found, read_current_verdicts(registry, found.read_lake_table("identities", "listed"), further), Path(folder))
            moved = changed(consequences.published, after)
            told = pd.concat({"as_reported": preview.reported.set_index(CELL), "harmonised": preview.figures.set_index(CELL)})
            told = told.reorder_levels([*range(1, len(CELL) + 1), 0])[["before", "after"]].sort_index()
            same = dict(zip(moved.index, moved.itertuples(index=False, name=None), strict=True)) == dict(
                zip(told.index, told.itertuples(index=False, name=None), strict=True)
            )
            yield f"{pair['pair']} {verdict}", len(moved), len(told), same, took, processor
    consequences.close()


def main() -> None:
    """Preview, link and count again, compare."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--home", type=Path, required=True, action="append")
    options.add_argument("--verdicts", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--seconds", type=float, default=3600.0)
    given = options.parse_args()
    until, rows = time.monotonic() + given.seconds, []
    for n, home in enumerate(given.home):
        place = Workplace.from_paths(None, home)
        registry = open_home_registry(place)
        number = given.verdicts // len(given.home) + (n < given.verdicts % len(given.home))
        for row in compared(find_last_published_run(place.home, registry), registry, number, given.seed, until):
            rows.append(row)
            if not row[3]:
                print(f"{row[0]}: {row[1]} figures change, {row[2]} were predicted", flush=True)
        registry.close()
        print(f"{sum(row[3] for row in rows)} of {len(rows)} equal, {sum(row[1] > 0 for row in rows)} of them move a figure", flush=True)
    for name, values in (("seconds", [row[4] for row in rows]), ("processor seconds", [row[5] for row in rows])):
        print(f"{name} a preview: median {np.median(values):.2f}, p95 {np.quantile(values, 0.95):.2f}, most {max(values):.2f}")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
