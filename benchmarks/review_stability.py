"""Do review decisions survive later runs and other models?

    python -m benchmarks review_stability --home HOME [--judgements 200] [--seed 1]

Pairs are drawn from all candidate pairs of the home, half of them linked; half are decided as the model did, half the other way. They are
entered into a new registry as by a steward; linkage runs with the same, a perturbed and a retrained model. Ids are assigned by the
identity register before and after.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from harmonia.home import Home
from harmonia.registry import open_registry
from harmonia.registry.identity import assign_ids
from harmonia.review.judgements import combine_judgements, enter_judgements, read_judgements
from harmonia.review.published import PublishedRun
from harmonia.review.sampling import list_decided_pairs
from pipelines.linkage import LinkageModel, LinkageResult, link_records, load_linkage_model
from pipelines.linkage.candidates import list_candidate_pairs
from pipelines.linkage.training import train_model

LEAST = 1e-4


def perturbed(model: LinkageModel, seed: int, spread: float = 0.5) -> LinkageModel:
    """`model` with every share multiplied by a log-normal factor: what training on other data might give."""
    chance = np.random.default_rng(seed)

    def shaken(shares: tuple[float, ...]) -> tuple[float, ...]:
        found = np.maximum(np.array(shares) * np.exp(chance.normal(0, spread, len(shares))), LEAST)
        return tuple(float(share) for share in found / found.sum())

    fields = []
    for field in model.fields:
        shares = {name: shaken(tuple(getattr(level, name) for level in field.levels)) for name in ("m", "u")}
        levels = tuple(replace(level, **{name: shares[name][n] for name in shares}) for n, level in enumerate(field.levels))
        fields.append(replace(field, levels=levels))
    evidence = tuple(replace(e, m=shaken(e.m), u=shaken(e.u), again=shaken(e.again)) for e in model.evidence)
    return replace(model, fields=tuple(fields), evidence=evidence)


def judged(pairs: pd.DataFrame, clusters: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """`size` judgements on random pairs, half of joined and half of refused ones, half of either against the machine.

    No two of them touch one cluster, so that none contradicts another.
    """
    number = clusters.set_index(["entity", "institution", "record_key"])["cluster"]
    order = pairs.sample(frac=1, random_state=seed)
    wanted = {(entity, joined): size // 4 for entity in ("case", "person") for joined in (True, False)}
    used: set[tuple[str, int]] = set()
    rows = []
    sides = [number.reindex(pd.MultiIndex.from_frame(order[["entity", f"institution_{s}", f"key_{s}"]])).to_numpy() for s in "ab"]
    for n, (entity, joined) in enumerate(zip(order["entity"], order["joined"], strict=True)):
        touched = {(entity, int(side[n])) for side in sides}
        if wanted[entity, joined] and not touched & used:
            used |= touched
            wanted[entity, joined] -= 1
            rows.append(n)
    out = order.iloc[rows].assign(against=np.arange(len(rows)) % 2 == 0)
    return out.assign(
        verdict=np.where(out["joined"] ^ out["against"], "same", "different"),
        steward="benchmark",
        why="measured",
        model="",
        blind=False,
        origin=None,
    )


def broken(linked: LinkageResult, said: pd.DataFrame, folder: Path) -> int:
    """How many of the judgements do not hold, by cluster and by the ids of the register."""
    registry = open_registry(f"sqlite:///{folder / 'identities.sqlite'}")
    lost = np.zeros(len(said), dtype=bool)
    for entity, frame in (("case", linked.cases), ("person", linked.persons)):
        ids = assign_ids(registry, entity, frame).set_index(["institution", "record_key"])["entity_id"]
        own = (said["entity"] == entity).to_numpy()
        a, b = (ids.reindex(pd.MultiIndex.from_frame(said.loc[own, [f"institution_{s}", f"key_{s}"]])).to_numpy() for s in "ab")
        lost[own] = (a == b) != (said.loc[own, "verdict"] == "same").to_numpy()
    registry.close()
    return int(lost.sum())


def main() -> None:
    """Judge, link again, count what does not hold."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--judgements", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    found = PublishedRun(Home(given.home), 0, "")
    canonical, clusters, model = found.read_canonical_tables(), found.read_clusters(), load_linkage_model()
    said = judged(list_decided_pairs(list_candidate_pairs(canonical)[0], clusters), clusters, given.judgements, given.seed)
    with tempfile.TemporaryDirectory() as folder:
        registry = open_registry(f"sqlite:///{Path(folder) / 'registry.sqlite'}")
        enter_judgements(registry, said)
        effective = combine_judgements(read_judgements(registry))
        registry.close()
        models = {"same model": model, "perturbed": perturbed(model, given.seed), "retrained": train_model([canonical], model)}
        print(f"{len(said)} judgements, {int(said['against'].sum())} against the machine")
        for name, one in models.items():
            linked = link_records(canonical, one, effective)
            print(f"{name}: {broken(linked, said, Path(folder))} do not hold; {linked.judged['outcome'].value_counts().to_dict()}")


if __name__ == "__main__":
    main()
