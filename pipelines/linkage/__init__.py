"""Record linkage: which records are of the same person, and which of the same case.

Belongs here: the entry point. Does not belong here: permanent identifiers (`harmonia.registry.identity`), counting.

The steps are:

- `standardise` makes feature frames, `blocking` finds candidate pairs
- `compare` and `score` give match weights by the frozen `model`
- `cases` (with `references`, `evidence`, `certain_pairs` and `person_overlap`) and `persons` decide; `cluster` forms clusters;
  `constraints` apply the decisions of stewards; `decisions` records the reasons
- `solving` alternates between cases and persons

A large history uses statistics that are `common` to it, and is divided into connected components (`pair_graph`, `partition`). Only
components that are not in the `memory` are decided (`incremental`); pairs across components are recorded (`cross_component`).

Persons and cases are evidence for each other: similar persons tie files, and records in files of one case need less evidence to be one
person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import memory as memory_files
from pipelines.linkage.blocking import block_persons
from pipelines.linkage.common import Tables, find_landmark
from pipelines.linkage.constraints import judgement_outcomes, outcome_counts
from pipelines.linkage.decisions import against_rules, count_compared, decision_records, record_keys_of, run_statistics, with_record_keys
from pipelines.linkage.drift import level_counts, linked_pairs
from pipelines.linkage.incremental import decide_components
from pipelines.linkage.model import Model, load_model
from pipelines.linkage.partition import partition_records, weigh_pairs
from pipelines.linkage.places import find_listed_persons, with_person_keys
from pipelines.linkage.score import encode_persons
from pipelines.linkage.solving import Solved, alternate_rounds, candidate_pairs, read_common
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records, build_features, read_columns
from pipelines.linkage.tasks import Setting
from pipelines.resources.memory import release_free_memory

__all__ = ["Linked", "Model", "Solved", "link", "load_model", "solve"]


@dataclass(frozen=True)
class Linked:
    """What linkage decided: the person and the case of every record, with reasons and statistics.

    - `persons`, `cases`: institution, record_key, cluster; one row for each record over all its states, ordered by earliest delivery,
      institution and key. Clusters are numbered from 0 in that order. `cases` includes implied case records.
    - `decisions`: see `pipelines.linkage.decisions.with_record_keys`
    - `statistics`: counts, no personal data
    - `judged`: outcomes of the judgements of stewards, see `pipelines.linkage.constraints.judgement_outcomes`
    - `reached`: levels that linked records reach, see `pipelines.linkage.drift.count_levels_reached`
    - `listed`: person keys of the states of lists in which a position changed hands (`pipelines.linkage.places`); all other frames use
      these keys for persons
    """

    persons: pd.DataFrame
    cases: pd.DataFrame
    decisions: pd.DataFrame
    statistics: dict[str, int | float | str]
    judged: pd.DataFrame
    reached: pd.DataFrame
    listed: pd.DataFrame


def solve(canonical: Tables, model: Model | None = None, judgements: pd.DataFrame | None = None) -> Solved:
    """Link records, and return the intermediate results as well. Parameters as for `link`."""
    model = model or load_model()
    tables = read_columns(canonical)
    tables = with_person_keys(tables, find_listed_persons(tables["person_records"], model))
    marked = find_landmark(tables)
    records = build_features(tables)
    if marked is None:
        return alternate_rounds(records, block_persons(records.persons), model, judgements)[0]
    common = read_common(marked.take_rows(tables), model)
    setting = Setting(model, common, encode_persons(records.persons, model))
    partition = partition_records(weigh_pairs(records, setting, None), setting, judgements, None)
    return alternate_rounds(partition.records, partition.blocked, model, judgements, common, partition.ties)[0]


def link(
    canonical: Tables,
    model: Model | None = None,
    judgements: pd.DataFrame | None = None,
    memory: Path | None = None,
    places: pd.DataFrame | None = None,
    spark: Spark | None = None,
) -> Linked:
    """Link the records of the canonical tables `case_records, person_records, charges, events, references`.

    Tables may be absent or empty. The result depends on the rows (not on their order), on `model` (default: the one shipped) and on the
    current `judgements` of stewards (`pipelines.linkage.constraints.COLUMNS`), which override the weights. `memory`: folder with the
    results of earlier calls on a large history, so that only changed components are decided; the result is the same without it.
    `places`: the result of `places.find_listed_persons` for these tables, if known. `spark`: where candidate pairs of persons are generated
    and scored; by default in process, with the same result.
    """
    model = model or load_model()
    tables = read_columns(canonical)
    places = find_listed_persons(tables["person_records"], model) if places is None else places
    tables = with_person_keys(tables, places)
    marked = find_landmark(tables)
    if marked is None:
        return _link_whole(build_features(tables), model, judgements, places, spark)
    version = memory_files.data_version(model, marked.fingerprint(tables))
    loaded = memory_files.load_memory(memory, version) if memory is not None else None
    if loaded is None:
        common, before = read_common(marked.take_rows(tables), model), None
        tables = with_person_keys(read_columns(canonical), places)
    else:
        common, before = loaded
    records = build_features(tables)
    del tables, loaded
    setting = Setting(model, common, encode_persons(records.persons, model), memory and memory.with_name(f".{memory.name}.tasks"), spark)
    release_free_memory()  # of reading and standardising: blocking needs the most memory
    partition = partition_records(weigh_pairs(records, setting, before), setting, judgements, before)
    found = decide_components(partition, setting, judgements, before)
    if memory is not None:
        memory_files.save_memory(memory, version, common, found.memory)
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
    counts = run_statistics(records, partition.blocked.report, found.cases, found.persons, counts)
    reached = level_counts(records.persons, found.alike, model)
    return _make_linked(records, found.cases, found.persons, found.decisions, found.against, judgements, counts, reached, places)


def _link_whole(records: Records, model: Model, judgements: pd.DataFrame | None, places: pd.DataFrame, spark: Spark | None) -> Linked:
    """Link a small history as a whole, with statistics from its own records."""
    solved = alternate_rounds(records, candidate_pairs(records, model, spark), model, judgements)[0]
    people, persons, cases = solved.people, solved.persons, solved.cases
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(solved.blocked.report["pairs"].sum()),
        **count_compared(people, cases, persons),
        "sure_case_pairs": int(max(cases.shares.observed.values(), default=0)),
    }
    found, against = decision_records(records, people, cases, persons), against_rules(people, persons)
    counts = run_statistics(records, solved.blocked.report, cases.cluster, persons.cluster, counts)
    reached = level_counts(records.persons, linked_pairs(records, people, persons.cluster), model)
    return _make_linked(records, cases.cluster, persons.cluster, found, against, judgements, counts, reached, places)


def _make_linked(
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
    """Put the clusters and decisions together as a `Linked`."""
    clusters = {"person": _add_clusters(records.persons, persons), "case": _add_clusters(records.files, cases)}
    judged = judgement_outcomes(judgements, clusters, record_keys_of(against, records.persons))
    return Linked(
        clusters["person"], clusters["case"], with_record_keys(found, records), counts | outcome_counts(judged), judged, reached, places
    )


def _add_clusters(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
    """Return institution, record_key and cluster of each record."""
    return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))
