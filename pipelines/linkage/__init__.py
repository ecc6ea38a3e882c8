"""Linkage: which records speak of the same person, and which of the same case.

Belongs here: the one entry point. The parts, in the order of the way: `standardise` (feature frames), `blocking` (which pairs),
`compare` and `score` (match weights after the frozen `model`), `cases` with `references` and `evidence`, `persons`, `cluster`,
`decisions`. Does not belong here: identifiers that last (`pipelines.registry.identity`), counting.

Persons and cases are evidence for one another: persons found alike tie files, files of one case lower what their persons need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.blocking import block
from pipelines.linkage.cases import Before, link_cases
from pipelines.linkage.decisions import decisions, statistics
from pipelines.linkage.model import Model, load_model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.persons import link_persons, share_again
from pipelines.linkage.standardise import standardise

__all__ = ["Linked", "Model", "link", "load_model"]

ROUNDS = 2


@dataclass(frozen=True)
class Linked:
    """What linkage found.

    `persons`, `cases`: `institution, record_key, cluster`, a row a record over all its states, ordered by earliest delivery,
    institution and key; a cluster is a number from 0 in that order. `cases` also holds cases that only their persons name.
    `decisions`: see `pipelines.linkage.decisions.decisions`. `statistics`: counts, no personal data.
    """

    persons: pd.DataFrame
    cases: pd.DataFrame
    decisions: pd.DataFrame
    statistics: dict[str, int | float | str]


def link(canonical: dict[str, pd.DataFrame], model: Model | None = None) -> Linked:
    """Link the records of the canonical tables `case_records, person_records, charges, events, references`.

    Absent or empty tables are fine. The result depends on the rows alone, not on their order, and on `model` (the one shipped).
    """
    model = model or load_model()
    records = standardise(canonical)
    people = PersonPairs(records.persons, model)
    blocked = block(records.persons)
    people.add(blocked.left, blocked.right)
    before = Before(None, model.persons["again"])
    for _ in range(ROUNDS):
        cases = link_cases(records, people, model, before)
        persons = link_persons(records, people, model, cases.cluster, before.again)
        before = Before(persons.cluster, share_again(records.persons, cases.cluster, persons.cluster, model))
    return Linked(
        persons=_clusters(records.persons, persons.cluster),
        cases=_clusters(records.files, cases.cluster),
        decisions=decisions(records, people, cases, persons),
        statistics=statistics(records, blocked, people, cases, persons, model.version),
    )


def _clusters(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
    return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))
