"""Training of a new model file from a home, its judgements, or simulated sets.

Belongs here: collecting training data, provenance of the file. Does not belong here: estimation (`pipelines.linkage.training`), the
command line (`harmonia.cli.link_commands`), true identities in a simulated set (`sources.simulator.answers`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harmonia.errors import HarmoniaError
from harmonia.registry import open_registry
from pipelines.linkage import link, modelfile
from pipelines.linkage.constraints import find_constraints
from pipelines.linkage.drift import count_levels_reached, expected_shares
from pipelines.linkage.model import CASES, FOLDER, PERSONS, Model, load_model
from pipelines.linkage.standardise import Records
from pipelines.linkage.training import LabelledPairs, as_files, train_model
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from sources.simulator import answers

Tables = dict[str, pd.DataFrame]
# With fewer person records the estimated shares are noise: the declared ones are better.
LEAST_RECORDS = 200


@dataclass(frozen=True)
class Material:
    """Training data: canonical tables by set, labels, provenance for the model file."""

    sets: list[Tables]
    labels: Callable[[int, Records], LabelledPairs] | None
    provenance: dict[str, Any]


def from_home(workplace: Workplace, judged: bool) -> Material:
    """The records of a home after its last run; with `judged` also the stewards' judgements. Raises `HarmoniaError`."""
    folder = workplace.home.lake / "canonical"
    if not folder.is_dir():
        raise HarmoniaError(f"home {workplace.home.root} has no records yet: run `harmonia run` first, or name another with --home")
    sets, provenance = [lake.read_tables(folder)], {"sets": [workplace.home.root.name]}
    if not judged:
        return Material(sets, None, {"from": "unlabelled", **provenance})
    judgements = _judgements(workplace)
    persons = judgements[judgements["entity"] == "person"]
    count = {verdict: int((persons["verdict"] == verdict).sum()) for verdict in ("same", "different")}
    if not sum(count.values()):
        raise HarmoniaError(f"home {workplace.home.root} has no judgements on persons: `harmonia review list` lists pairs to judge")
    return Material(sets, partial(_judgement_labels, judgements), {"from": "judgements", **provenance, "judged": count})


def from_simulated(folders: Sequence[Path]) -> Material:
    """The deliveries in `<folder>/inbox`, run through the pipeline into a temporary home, with the true identities."""
    from pipelines.progress import Silence
    from pipelines.run import run_everything

    for folder in folders:
        if not answers.is_set(folder):
            raise HarmoniaError(
                f"{folder} is not an unchanged simulated set: training needs the simulated.json and truth written by `harmonia simulate`; "
                "create a set with `harmonia simulate --out DIR`"
            )
    sets, known = [], []
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="harmonia-train-") as home:
            outcome = run_everything(Workplace.of(folder / "inbox", Path(home) / "home"), Silence())
        sets.append(outcome.values["canonical"])
        known.append(answers.read_persons(folder))
    return Material(sets, partial(_simulated_labels, known), {"from": "simulated", "sets": [folder.resolve().name for folder in folders]})


def fit(material: Material, version: str, by: str, start: Model | None = None) -> tuple[Model, dict[str, Any]]:
    """A model trained on `material`, starting from `start` (default: the shipped model), and the content of its file. Raises
    `HarmoniaError` if there are too few records."""
    records = sum(len(tables["person_records"]) for tables in material.sets)
    if records < LEAST_RECORDS:
        raise HarmoniaError(
            f"{records} person records are too few to train on (at least {LEAST_RECORDS} are needed): keep the current model"
        )
    start = start or load_model(FOLDER / PERSONS, FOLDER / CASES)
    model = train_model(material.sets, start, material.labels)
    counted = [count_levels_reached(tables, link(tables, model).persons, model) for tables in material.sets]
    model = replace(model, expected=expected_shares(counted, model))
    provenance = {
        **material.provenance,
        "how": "harmonia link train",
        "records": records,
        "when": datetime.now(UTC).date().isoformat(),
        "by": by,
        "start": start.version,
    }
    persons, cases = as_files(model, provenance, (f"persons-{version}", f"cases-{version}"))
    return model, {"version": version, "persons": persons, "cases": cases}


def write(material: Material, out: Path, by: str) -> str:
    """Train and write the model file `out`; return its version. Raises `HarmoniaError`; if `out` exists, before training."""
    if out.exists():
        raise HarmoniaError(f"{out} already exists: a model file is never overwritten, choose another name")
    _, content = fit(material, out.stem, by)
    modelfile.write_model_file(out, content)
    return load_model(out).version


def _judgements(workplace: Workplace) -> pd.DataFrame:
    from harmonia.review.judgements import combine_judgements, read_judgements

    registry = open_registry(workplace.registry)
    try:
        return combine_judgements(read_judgements(registry))
    finally:
        registry.close()


def _judgement_labels(judgements: pd.DataFrame, _: int, records: Records) -> LabelledPairs:
    found = find_constraints(judgements, "person", records.persons)
    return LabelledPairs(found.same, found.apart)


def _simulated_labels(known: list[pd.DataFrame], number: int, records: Records) -> LabelledPairs:
    """All pairs of records of the same simulated person from different files."""
    rows = (
        records.persons[["institution", "record_key", "file"]]
        .reset_index(names="row")
        .merge(known[number], on=["institution", "record_key"])
    )
    pairs = rows.merge(rows, on="person_id")
    pairs = pairs[(pairs["row_x"] < pairs["row_y"]) & (pairs["file_x"] != pairs["file_y"])]
    return LabelledPairs(pairs[["row_x", "row_y"]].to_numpy("int64"), np.empty((0, 2), dtype="int64"), complete=True)
