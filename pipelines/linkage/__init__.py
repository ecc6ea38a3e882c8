"""Linkage: which records speak of the same person, and which of the same case.

Belongs here: the one entry point. The parts, in the order of the way: `standardise` (feature frames), `blocking` (which pairs), `compare`
and `score` (match weights after the frozen `model`), `cases` with `references`, `evidence`, `known` and `meeting`, `persons`, `cluster`,
`decisions`, `judged`; `solving` takes them in turns. A large history goes by what is `common` to it, is cut into `parts` (`parting`), and
only parts that the `memory` does not know are decided `anew`; pairs `across` parts are told. Does not belong here: identifiers that last
(`pipelines.registry.identity`), counting.

Persons and cases are evidence for one another: persons found alike tie files, files of one case lower what their persons need.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import memory as kept
from pipelines.linkage.anew import decide
from pipelines.linkage.blocking import block
from pipelines.linkage.common import Tables, landmark
from pipelines.linkage.decisions import against_rules, compared, keys_of, named, statistics, told
from pipelines.linkage.drift import alike
from pipelines.linkage.drift import counted as levels_reached
from pipelines.linkage.judged import counted, outcomes
from pipelines.linkage.model import Model, load_model
from pipelines.linkage.parting import part
from pipelines.linkage.pieces import Setting
from pipelines.linkage.places import listed, rekeyed
from pipelines.linkage.score import coded
from pipelines.linkage.solving import Solved, candidate_pairs, read_common, rounds
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records, read, standardise
from pipelines.resources.given_back import give_back

__all__ = ["Linked", "Model", "Solved", "link", "load_model", "solve"]


@dataclass(frozen=True)
class Linked:
    """What linkage found.

    `persons`, `cases`: `institution, record_key, cluster`, a row a record over all its states, ordered by earliest delivery,
    institution and key; a cluster is a number from 0 in that order. `cases` also holds cases that only their persons name.
    `decisions`: see `pipelines.linkage.decisions.decisions`. `statistics`: counts, no personal data. `judged`: how stewards'
    judgements came out, see `pipelines.linkage.judged.outcomes`. `reached`: which levels the records found to be one reach, see
    `pipelines.linkage.drift.comparisons`. `listed`: key of the person of each state of lists in which a place changed hands
    (`pipelines.linkage.places`); wherever persons are named here, it is by these keys.
    """

    persons: pd.DataFrame
    cases: pd.DataFrame
    decisions: pd.DataFrame
    statistics: dict[str, int | float | str]
    judged: pd.DataFrame
    reached: pd.DataFrame
    listed: pd.DataFrame


def solve(canonical: Tables, model: Model | None = None, judgements: pd.DataFrame | None = None) -> Solved:
    """Cases and persons in turns; parameters as for `link`."""
    model = model or load_model()
    tables = read(canonical)
    tables = rekeyed(tables, listed(tables["person_records"], model))
    marked = landmark(tables)
    records = standardise(tables)
    if marked is None:
        return rounds(records, block(records.persons), model, judgements)[0]
    common = read_common(marked.taken(tables), model)
    parted = part(records, Setting(model, common, coded(records.persons, model)), judgements, None)
    return rounds(parted.records, parted.blocked, model, judgements, common, parted.ties)[0]


def link(
    canonical: Tables,
    model: Model | None = None,
    judgements: pd.DataFrame | None = None,
    memory: Path | None = None,
    places: pd.DataFrame | None = None,
    spark: Spark | None = None,
) -> Linked:
    """Link the records of the canonical tables `case_records, person_records, charges, events, references`.

    Absent or empty tables are fine. The result depends on the rows alone, not on their order, on `model` (the one shipped) and on
    `judgements` of stewards (`pipelines.linkage.judged.COLUMNS`, those that stand), which hold whatever the weights say. `memory`: a
    folder where a large history keeps what it found, so that the next call decides only on what is touched; the result is the same
    without. `places`: what `places.listed` gives of these tables, where it is known. `spark`: where candidate pairs of persons are made and
    scored; in process, where it is not given, with the same result.
    """
    model = model or load_model()
    tables = read(canonical)
    places = listed(tables["person_records"], model) if places is None else places
    tables = rekeyed(tables, places)
    marked = landmark(tables)
    if marked is None:
        return _as_a_whole(standardise(tables), model, judgements, places, spark)
    token = kept.token(model, marked.print(tables))
    remembered = kept.load(memory, token) if memory is not None else None
    if remembered is None:
        common, before = read_common(marked.taken(tables), model), None
        tables = rekeyed(read(canonical), places)
    else:
        common, before = remembered
    records = standardise(tables)
    del tables, remembered
    setting = Setting(model, common, coded(records.persons, model), memory and memory.with_name(f".{memory.name}.pieces"), spark)
    give_back()  # what reading and standardising took: this process holds most while it blocks
    parted = part(records, setting, judgements, before)
    found = decide(parted, setting, judgements, before)
    if memory is not None:
        kept.save(memory, token, common, found.memory)
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(parted.blocked.report["pairs"].sum()),
        **found.counts,
        "sure_case_pairs": int(max(common.shares[-1].observed.values(), default=0)),
        "common_read_off_until": marked.until,
        "common_read_off_anew": int(before is None),
        "parts": len(parted.keys),
        "parts_decided_anew": found.solved,
    }
    counts = statistics(records, parted.blocked.report, found.cases, found.persons, counts)
    reached = levels_reached(records.persons, found.alike, model)
    return _linked(records, found.cases, found.persons, found.told, found.against, judgements, counts, reached, places)


def _as_a_whole(records: Records, model: Model, judgements: pd.DataFrame | None, places: pd.DataFrame, spark: Spark | None) -> Linked:
    """A small history: by what its records say themselves, all together."""
    solved = rounds(records, candidate_pairs(records, model, spark), model, judgements)[0]
    people, persons, cases = solved.people, solved.persons, solved.cases
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(solved.blocked.report["pairs"].sum()),
        **compared(people, cases, persons),
        "sure_case_pairs": int(max(cases.shares.observed.values(), default=0)),
    }
    found, against = told(records, people, cases, persons), against_rules(people, persons)
    counts = statistics(records, solved.blocked.report, cases.cluster, persons.cluster, counts)
    reached = levels_reached(records.persons, alike(records, people, persons.cluster), model)
    return _linked(records, cases.cluster, persons.cluster, found, against, judgements, counts, reached, places)


def _linked(
    records: Records,
    cases: np.ndarray,
    persons: np.ndarray,
    found: pd.DataFrame,
    against: pd.DataFrame,
    judgements: pd.DataFrame | None,
    counts: dict[str, int | float | str],
    reached: pd.DataFrame,
    places: pd.DataFrame,
) -> Linked:
    clusters = {"person": _clusters(records.persons, persons), "case": _clusters(records.files, cases)}
    judged = outcomes(judgements, clusters, keys_of(against, records.persons))
    return Linked(clusters["person"], clusters["case"], named(found, records), counts | counted(judged), judged, reached, places)


def _clusters(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
    return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))
