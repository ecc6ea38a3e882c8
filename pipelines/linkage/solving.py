"""Deciding on records: cases and persons in turns.

Belongs here: the rounds, and reading off a history what is common to it. Does not belong here: what a round does (`cases`, `persons`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.blocking import Blocked, block, share
from pipelines.linkage.cases import Cases, PriorRound, Ties, link_cases, ties_of
from pipelines.linkage.common import Common, Tables, counts_of
from pipelines.linkage.constraints import constraints
from pipelines.linkage.evidence import Shares
from pipelines.linkage.hashing import hashes
from pipelines.linkage.model import Model
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.persons import Persons, link_persons, share_again
from pipelines.linkage.score import Scorer, coded, frequencies
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records, standardise

ROUNDS = 2
# So many person records are enough to read shares off.
ENOUGH = 20_000


@dataclass(frozen=True)
class Solved:
    """Linkage from within: feature frames, blocked and compared pairs, and both solutions in rows of the frames."""

    records: Records
    blocked: Blocked
    people: PersonPairs
    cases: Cases
    persons: Persons


def rounds(
    records: Records,
    blocked: Blocked,
    model: Model,
    judgements: pd.DataFrame | None,
    common: Common | None = None,
    ties: Ties | None = None,
) -> tuple[Solved, Common]:
    """Cases and persons in turns, by what is `common`, else by what these records say themselves; that is returned too."""
    if common and "scorer" not in records.memo:
        records.memo["scorer"] = Scorer(coded(records.persons, model), model, common.frequencies)
    people = PersonPairs(records, model)
    if blocked.likelihoods is None:
        people.add(blocked.left, blocked.right)
    else:
        people.put(blocked.left, blocked.right, blocked.likelihoods)
    of_cases, of_persons = constraints(judgements, "case", records.files), constraints(judgements, "person", records.persons)
    expected = {"expected": model.persons["again"], "worth": model.persons["again_worth"]}
    before = PriorRound(None, model.persons["again"])
    ties = ties or ties_of(records)
    shares: list[Shares] = []
    again: list[float] = []
    for n in range(ROUNDS):
        cases = link_cases(records, people, model, before, of_cases, ties, common.shares[n] if common else None)
        persons = link_persons(records, people, model, cases.cluster, before.again, of_persons)
        shares.append(cases.shares)
        again.append(common.again[n] if common else share_again(records.persons, cases.cluster, persons.cluster, **expected))
        before = PriorRound(persons.cluster, again[-1])
    found = common or Common(people.known, counts_of(records), tuple(shares), tuple(again))
    return Solved(records, blocked, people, cases, persons), found


def candidate_pairs(records: Records, model: Model, spark: Spark | None) -> Blocked:
    """The pairs of persons of a small history that blocking keys give; made and scored on `spark`, where that is given."""
    persons = records.persons
    if spark is None:
        return block(persons)
    blocks = share(persons)
    records.memo["scorer"] = scorer = Scorer.of(persons, model)
    left, right, likelihoods = spark.scored(persons, blocks.groups, model, scorer)
    return Blocked(left, right, blocks.report, likelihoods)


def read_common(tables: Tables, model: Model) -> Common:
    """What is common, read off a history of its own; off a large one by a sample of its persons."""
    records = standardise(tables)
    known = frequencies(coded(records.persons, model), model)
    records = replace(records, counts=counts_of(records))
    files, persons = sample(records)
    some = pair_graph.cut(records, files, persons)
    some.memo["scorer"] = Scorer(coded(some.persons, model), model, known)
    ties = pair_graph.cut_ties(ties_of(records), len(records.files), files)
    found = rounds(some, block(some.persons), model, None, None, ties)[1]
    return replace(found, counts=counts_of(records))


def sample(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """Rows of files and persons that shares are read off: all of a small history, else of every so many persons all records.

    A person's records mostly agree in the day of birth, so that it says who is in; those without go by their number, or their names.
    """
    persons = records.persons
    every = max(len(persons) // ENOUGH, 1)
    if every == 1:
        return np.arange(len(records.files)), np.arange(len(persons))
    named = persons["birth_date"].dt.strftime("%Y%m%d").fillna(persons["number"])
    named = named.fillna(persons["given"].fillna("") + " " + persons["surname"].fillna(""))
    rows = np.flatnonzero(hashes(named.to_frame()) % np.uint64(every) == 0)
    files = np.unique(persons["file"].to_numpy()[rows])
    return files[files >= 0], rows
