"""Linkage: which records speak of the same person, and which of the same case.

Belongs here: the one entry point. The parts, in the order of the way: `standardise` (feature frames), `blocking` (which pairs),
`compare` and `score` (match weights after the frozen `model`), `cases` with `references` and `evidence`, `persons`, `cluster`,
`decisions`, `judged`. Does not belong here: identifiers that last (`pipelines.registry.identity`), counting.

Persons and cases are evidence for one another: persons found alike tie files, files of one case lower what their persons need.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.blocking import Blocked, block
from pipelines.linkage.cases import Before, Cases, link_cases
from pipelines.linkage.decisions import against_rules, decisions, statistics
from pipelines.linkage.judged import held, outcomes, told
from pipelines.linkage.model import Model, load_model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.persons import Persons, link_persons, share_again
from pipelines.linkage.standardise import Records, standardise

__all__ = ["Linked", "Model", "Solved", "link", "load_model", "solve"]

ROUNDS = 2


@dataclass(frozen=True)
class Linked:
    """What linkage found.

    `persons`, `cases`: `institution, record_key, cluster`, a row a record over all its states, ordered by earliest delivery,
    institution and key; a cluster is a number from 0 in that order. `cases` also holds cases that only their persons name.
    `decisions`: see `pipelines.linkage.decisions.decisions`. `statistics`: counts, no personal data. `judged`: how stewards'
    judgements came out, see `pipelines.linkage.judged.outcomes`.
    """

    persons: pd.DataFrame
    cases: pd.DataFrame
    decisions: pd.DataFrame
    statistics: dict[str, int | float | str]
    judged: pd.DataFrame


@dataclass(frozen=True)
class Solved:
    """Linkage from within: feature frames, blocked and compared pairs, and both solutions in rows of the frames."""

    records: Records
    blocked: Blocked
    people: PersonPairs
    cases: Cases
    persons: Persons


def solve(canonical: dict[str, pd.DataFrame], model: Model | None = None, judgements: pd.DataFrame | None = None) -> Solved:
    """Cases and persons in turns; parameters as for `link`."""
    model = model or load_model()
    records = standardise(canonical)
    people = PersonPairs(records.persons, model)
    blocked = block(records.persons)
    people.add(blocked.left, blocked.right)
    held_cases, held_persons = held(judgements, "case", records.files), held(judgements, "person", records.persons)
    expected = {"expected": model.persons["again"], "worth": model.persons["again_worth"]}
    before = Before(None, model.persons["again"])
    for _ in range(ROUNDS):
        cases = link_cases(records, people, model, before, held_cases)
        persons = link_persons(records, people, model, cases.cluster, before.again, held_persons)
        before = Before(persons.cluster, share_again(records.persons, cases.cluster, persons.cluster, **expected))
    return Solved(records, blocked, people, cases, persons)


def link(canonical: dict[str, pd.DataFrame], model: Model | None = None, judgements: pd.DataFrame | None = None) -> Linked:
    """Link the records of the canonical tables `case_records, person_records, charges, events, references`.

    Absent or empty tables are fine. The result depends on the rows alone, not on their order, on `model` (the one shipped) and on
    `judgements` of stewards (`pipelines.linkage.judged.COLUMNS`, those that stand), which hold whatever the weights say.
    """
    model = model or load_model()
    solved = solve(canonical, model, judgements)
    records, people, persons = solved.records, solved.people, solved.persons
    clusters = {"person": _clusters(records.persons, persons.cluster), "case": _clusters(records.files, solved.cases.cluster)}
    told_pairs = decisions(records, people, solved.cases, persons)
    judged = outcomes(judgements, clusters, against_rules(records, people, persons))
    return Linked(
        persons=clusters["person"],
        cases=clusters["case"],
        decisions=told_pairs,
        statistics=statistics(records, solved.blocked, people, solved.cases, persons, model.version) | told(judged),
        judged=judged,
    )


def _clusters(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
    return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))
