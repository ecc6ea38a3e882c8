"""Do the 95 % intervals of `harmonia review estimate` contain the true precision and recall?

    python -m benchmarks review_intervals --home HOME --truth DIR [--pairs 300] [--seeds 40]

For each entity and for both together, that many samples are drawn from the candidate pairs of a published home, labelled by the truth,
and the interval is compared with the true precision and recall over all pairs. Since linkage is nearly always right, the same is done for
clusterings that were made worse on purpose. `ceiling`: share of all true pairs that are candidates at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from harmonia.home import Home
from harmonia.review.estimating import estimate_accuracy
from harmonia.review.published import PublishedRun
from harmonia.review.sampling import list_decided_pairs
from harmonia.review.strata import draw_stratified_sample_of_pairs
from pipelines.linkage.candidates import list_candidate_pairs

RECORD = ["institution", "record_key"]
WORSENED = (0.0, 0.02, 0.10)


def true_ids(truth: Path) -> pd.Series:
    """The true case or person of each record, indexed by entity, institution and record key."""
    records = pd.read_csv(truth / "records.csv", dtype="str")
    records["id"] = records["case_id"].where(records["entity"] == "case", records["person_id"])
    records = records.dropna(subset=["id"]).drop_duplicates(["entity", *RECORD], keep="last")
    return records.set_index(["entity", *RECORD])["id"]


def labelled(found: PublishedRun, truth: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """All pairs with the column `true`, and the ceiling per entity."""
    ids = true_ids(truth)
    clusters = found.read_clusters()
    pairs = list_decided_pairs(list_candidate_pairs(found.read_canonical_tables())[0], clusters)
    a, b = (ids.reindex(pd.MultiIndex.from_frame(pairs[["entity", f"institution_{s}", f"key_{s}"]])).to_numpy(dtype=object) for s in "ab")
    pairs["true"] = (a == b) & ~pd.isna(a)
    known = ids[ids.index.isin(pd.MultiIndex.from_frame(clusters[["entity", *RECORD]]))]
    sizes = known.groupby([known.index.get_level_values("entity"), known]).size()
    every = (sizes * (sizes - 1) // 2).groupby(level=0).sum()
    return pairs, {entity: float(pairs.loc[pairs["entity"] == entity, "true"].sum() / every[entity]) for entity in ("case", "person")}


def worsened(pairs: pd.DataFrame, share: float) -> pd.DataFrame:
    """The pairs with `share` of what was joined refused, and a third as many of the others joined."""
    joined = pairs["joined"].mean()
    flip = np.random.default_rng(5).random(len(pairs)) < np.where(pairs["joined"], share, share * joined / (1 - joined) / 3)
    return pairs.assign(joined=pairs["joined"] ^ flip)


def measure(pairs: pd.DataFrame, size: int, seeds: int) -> pd.DataFrame:
    """Per entity and measure: true value, mean estimate, mean ends, and in how many samples the interval held the true value."""
    both = pairs["joined"] & pairs["true"]
    hits = both.groupby(pairs["entity"]).sum()
    true = {"precision": hits / pairs.groupby("entity")["joined"].sum(), "recall": hits / pairs.groupby("entity")["true"].sum()}
    rows = []
    for seed in range(seeds):
        taken, strata = draw_stratified_sample_of_pairs(pairs, size, seed)
        counts = pd.crosstab(taken["stratum"], taken["true"]).reindex(columns=[True, False], fill_value=0)
        counts = counts.set_axis(["same", "different"], axis=1).reset_index()
        rows.append(estimate_accuracy(strata.merge(counts, on="stratum").assign(unsure=0)))
    found = pd.concat(rows, ignore_index=True)
    found["true"] = [float(true[m][e]) for e, m in zip(found["entity"], found["measure"], strict=True)]
    found["held"] = (found["low"] <= found["true"] + 1e-12) & (found["true"] <= found["high"] + 1e-12)
    mean = found.groupby(["entity", "measure"])[["true", "estimate", "low", "high"]].mean()
    return mean.join(found.groupby(["entity", "measure"])["held"].sum()).reset_index()


def main() -> None:
    """Measure a home and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--truth", type=Path, required=True)
    options.add_argument("--pairs", type=int, default=300)
    options.add_argument("--seeds", type=int, default=40)
    given = options.parse_args()
    pairs, ceiling = labelled(PublishedRun(Home(given.home), 0, ""), given.truth)
    out = []
    for share in WORSENED:
        for sampled in (["case", "person"], ["case"], ["person"]):
            some = worsened(pairs[pairs["entity"].isin(sampled)].reset_index(drop=True), share)
            found = measure(some, given.pairs, given.seeds)
            out.append(found.assign(of=f"{given.pairs} {' and '.join(sampled)} pairs", worsened=share))
    table = pd.concat(out, ignore_index=True)
    print(table[["of", "worsened", "entity", "measure", "true", "estimate", "low", "high", "held"]].round(4).to_string(index=False))
    print(f"held: of {given.seeds} samples; ceiling of recall: " + ", ".join(f"{e} {c:.4f}" for e, c in ceiling.items()))


if __name__ == "__main__":
    main()
