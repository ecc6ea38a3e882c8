"""Train a new linkage model from the records of a home, from judgements of its stewards, or from simulated deliveries.

Belongs here: collecting training data; recording in the model file where they came from. Does not belong here: estimation
(`pipelines.linkage.training`), the command line (`harmonia.cli.link_commands`), true identities in simulated deliveries
(`sources.simulator.answers`).
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
from pipelines.linkage import link_records, model_files
from pipelines.linkage.constraints import find_cluster_constraints
from pipelines.linkage.drift import compute_expected_shares, count_comparison_levels_of_linked_records
from pipelines.linkage.model import CASES, FOLDER, PERSONS, LinkageModel, load_linkage_model
from pipelines.linkage.standardise import LinkageRecords
from pipelines.linkage.training import LabelledPairs, build_model_files, train_model
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from sources.simulator import answers

Tables = dict[str, pd.DataFrame]
MIN_RECORDS = 200
"""Minimum number of person records. With fewer, the estimates would be mostly noise, and worse than the shipped model."""


@dataclass(frozen=True)
class TrainingData:
    """The data from which a model is trained.

    sets: the canonical tables of each set of records. labels: a function that takes the number of a set and its records, and returns the
    labelled pairs of the set; None for training without labels. provenance: what the model file says about the origin of these data.
    """

    sets: list[Tables]
    labels: Callable[[int, LinkageRecords], LabelledPairs] | None
    provenance: dict[str, Any]


def collect_training_data_from_home(workplace: Workplace, include_judgements: bool) -> TrainingData:
    """Collect the records of a home as they were after its last run, and with `include_judgements` also the judgements of its stewards.

    Raises `HarmoniaError` if the home has no records, or if judgements are needed and it has none on persons.
    """
    folder = workplace.home.lake / "canonical"
    if not folder.is_dir():
        raise HarmoniaError(f"home {workplace.home.root} has no records yet: run `harmonia run` first, or name another with --home")
    sets, provenance = [lake.read_tables(folder)], {"sets": [workplace.home.root.name]}
    if not include_judgements:
        return TrainingData(sets, None, {"from": "unlabelled", **provenance})
    judgements = _read_judgements_of_stewards(workplace)
    persons = judgements[judgements["entity"] == "person"]
    count = {verdict: int((persons["verdict"] == verdict).sum()) for verdict in ("same", "different")}
    if not sum(count.values()):
        raise HarmoniaError(f"home {workplace.home.root} has no judgements on persons: `harmonia review list` lists pairs to judge")
    return TrainingData(sets, partial(_label_pairs_by_judgements, judgements), {"from": "judgements", **provenance, "judged": count})


def collect_training_data_from_simulated_sets(folders: Sequence[Path]) -> TrainingData:
    """Collect the records of simulated sets, with the true identities of persons.

    For this, the inbox of each folder is run into a temporary home. Raises `HarmoniaError` if a folder is not an unchanged output of
    `harmonia simulate`.
    """
    from pipelines.progress import SilentListener
    from pipelines.run import run_everything

    for folder in folders:
        if not answers.is_simulated_set(folder):
            raise HarmoniaError(
                f"{folder} is not an unchanged simulated set: training needs the simulated.json and truth written by `harmonia simulate`; "
                "create a set with `harmonia simulate --out DIR`"
            )
    sets, truths = [], []
    for folder in folders:
        with tempfile.TemporaryDirectory(prefix="harmonia-train-") as home:
            outcome = run_everything(Workplace.from_paths(folder / "inbox", Path(home) / "home"), SilentListener())
        sets.append(outcome.values["canonical"])
        truths.append(answers.read_true_person_ids(folder))
    return TrainingData(
        sets, partial(_label_simulated_pairs, truths), {"from": "simulated", "sets": [folder.resolve().name for folder in folders]}
    )


def train_new_model(data: TrainingData, version: str, by: str, start: LinkageModel | None = None) -> tuple[LinkageModel, dict[str, Any]]:
    """Train a model, and return it with the content of its file.

    version: version of the new model. by: who trains it. start: the model from which training starts; None for the shipped one. Raises
    `HarmoniaError` if there are too few records.
    """
    records = sum(len(tables["person_records"]) for tables in data.sets)
    if records < MIN_RECORDS:
        raise HarmoniaError(f"{records} person records are too few to train on (at least {MIN_RECORDS} are needed): keep the current model")
    start = start or load_linkage_model(FOLDER / PERSONS, FOLDER / CASES)
    model = train_model(data.sets, start, data.labels)
    counted = [count_comparison_levels_of_linked_records(tables, link_records(tables, model).persons, model) for tables in data.sets]
    model = replace(model, expected=compute_expected_shares(counted, model))
    provenance = {
        **data.provenance,
        "how": "harmonia link train",
        "records": records,
        "when": datetime.now(UTC).date().isoformat(),
        "by": by,
        "start": start.version,
    }
    persons, cases = build_model_files(model, provenance, (f"persons-{version}", f"cases-{version}"))
    return model, {"version": version, "persons": persons, "cases": cases}


def train_model_to_file(data: TrainingData, model_file: Path, by: str) -> str:
    """Train a model and write it to the new file `model_file`; return its version.

    Raises `HarmoniaError` if the file exists, which is checked before training, or if there are too few records.
    """
    if model_file.exists():
        raise HarmoniaError(f"{model_file} already exists: a model file is never overwritten, choose another name")
    _, content = train_new_model(data, model_file.stem, by)
    model_files.write_model_file(model_file, content)
    return load_linkage_model(model_file).version


def _read_judgements_of_stewards(workplace: Workplace) -> pd.DataFrame:
    from harmonia.review.judgements import combine_judgements, read_judgements

    registry = open_registry(workplace.registry)
    try:
        return combine_judgements(read_judgements(registry))
    finally:
        registry.close()


def _label_pairs_by_judgements(judgements: pd.DataFrame, _: int, records: LinkageRecords) -> LabelledPairs:
    """Return the pairs that stewards judged to be the same person or different persons, as labelled pairs."""
    constraints = find_cluster_constraints(judgements, "person", records.persons)
    return LabelledPairs(constraints.same, constraints.apart)


def _label_simulated_pairs(truths: list[pd.DataFrame], number: int, records: LinkageRecords) -> LabelledPairs:
    """List all pairs of records that belong to the same simulated person and are in different case files.

    truths: the true person of each record, for each set. number: the number of the set. records: its records.
    """
    rows = (
        records.persons[["institution", "record_key", "file"]]
        .reset_index(names="row")
        .merge(truths[number], on=["institution", "record_key"])
    )
    pairs = rows.merge(rows, on="person_id")
    pairs = pairs[(pairs["row_x"] < pairs["row_y"]) & (pairs["file_x"] != pairs["file_y"])]
    return LabelledPairs(pairs[["row_x", "row_y"]].to_numpy("int64"), np.empty((0, 2), dtype="int64"), complete=True)
