"""Linkage: which records speak of the same person, and which of the same case.

Belongs here: the entry point. The steps: `standardise` makes feature frames, `blocking` finds candidate pairs, `compare` and `score`
give weights by the frozen `model`; `cases` (with `references`, `evidence`, `certain_pairs` and `person_overlap`) and `persons` decide,
`cluster` groups, `constraints` hold what stewards decided, `decisions` records why; `solving` runs cases and persons in turns. A large
history goes by what is `common` to it, is cut into connected components (`pair_graph`, `partition`), and only components that the `memory`
does not know are decided (`incremental`); pairs across them are recorded (`cross_component`). Does not belong here: permanent identifiers
(`pipelines.registry.identity`), counting.

Persons and cases are evidence for one another: persons found alike tie files, and records in files of one case need less to be one person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import memory as kept
from pipelines.linkage.blocking import block
from pipelines.linkage.common import Tables, landmark
from pipelines.linkage.constraints import counted, outcomes
from pipelines.linkage.decisions import against_rules, compared, decision_records, keys_of, named, statistics
from pipelines.linkage.drift import alike
from pipelines.linkage.drift import counted as levels_reached
from pipelines.linkage.incremental import decide
from pipelines.linkage.model import Model, load_model
from pipelines.linkage.partition import partition_records
from pipelines.linkage.places import listed, rekeyed
from pipelines.linkage.score import coded
from pipelines.linkage.solving import Solved, candidate_pairs, read_common, rounds
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records, read, standardise
from pipelines.linkage.tasks import Setting
from pipelines.resources.memory import release_memory

__all__ = ["Linked", "Model", "Solved", "link", "load_model", "solve"]


@dataclass(frozen=True)
class Linked:
    """What linkage found.

    `persons`, `cases`: `institution, record_key, cluster`, a row a record over all its states, ordered by earliest delivery,
    institution and key; a cluster is a number from 0 in that order. `cases` also holds cases that only their persons name.
    `decisions`: see `pipelines.linkage.decisions.named`. `statistics`: counts, no personal data. `judged`: how stewards'
    judgements came out, see `pipelines.linkage.constraints.outcomes`. `reached`: which levels the records found to be one reach, see
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
    partition = partition_records(records, Setting(model, common, coded(records.persons, model)), judgements, None)
    return rounds(partition.records, partition.blocked, model, judgements, common, partition.ties)[0]


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
    the current `judgements` of stewards (`pipelines.linkage.constraints.COLUMNS`), which hold whatever the weights say. `memory`: a
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
    version = kept.data_version(model, marked.fingerprint(tables))
    remembered = kept.load(memory, version) if memory is not None else None
    if remembered is None:
        common, before = read_common(marked.taken(tables), model), None
        tables = rekeyed(read(canonical), places)
    else:
        common, before = remembered
    records = standardise(tables)
    del tables, remembered
    setting = Setting(model, common, coded(records.persons, model), memory and memory.with_name(f".{memory.name}.tasks"), spark)
    release_memory()  # what reading and standardising took: this process holds most while it blocks
    partition = partition_records(records, setting, judgements, before)
    found = decide(partition, setting, judgements, before)
    if memory is not None:
        kept.save(memory, version, common, found.memory)
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(partition.blocked.report["pairs"].sum()),
        **found.counts,
        "sure_case_pairs": int(max(common.shares[-1].observed.values(), default=0)),
        "baseline_until": marked.until,
        "baseline_read_again": int(before is None),
        "components": len(partition.keys),
        "components_decided": found.solved,
    }
    counts = statistics(records, partition.blocked.report, found.cases, found.persons, counts)
    reached = levels_reached(records.persons, found.alike, model)
    return _linked(records, found.cases, found.persons, found.decisions, found.against, judgements, counts, reached, places)


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
    found, against = decision_records(records, people, cases, persons), against_rules(people, persons)
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
