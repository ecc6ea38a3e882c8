"""Record linkage: which records are of the same person, and which of the same case.

Belongs here: the entry point. Does not belong here: permanent identifiers (`harmonia.registry.identity`), counting.

The steps are:

- `standardise` makes feature frames, `blocking` finds candidate pairs
- `compare` and `score` compute match weights with the frozen `model`
- `cases` (with `references`, `evidence`, `certain_pairs` and `person_overlap`) and `persons` decide; `cluster` forms clusters;
  `constraints` apply the decisions of stewards; `decisions` records the reasons
- `solving` alternates between cases and persons

A large history uses statistics of the whole history (`common_statistics`), and is divided into connected components (`pair_graph`,
`partition`). Only components that are not in the `linkage_memory` are decided (`incremental`); pairs across components are recorded
(`cross_component`).

Persons and cases are evidence for each other: similar persons tie files, and records in files of one case need less evidence to be one
person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import linkage_memory as memory_files
from pipelines.linkage.blocking import block_persons
from pipelines.linkage.common_statistics import Tables, find_early_history
from pipelines.linkage.constraints import count_judgement_outcomes, find_judgement_outcomes
from pipelines.linkage.decisions import (
    build_decision_records,
    count_compared_pairs,
    count_run_statistics,
    find_joined_pairs_against_rules,
    look_up_record_keys,
    replace_rows_by_record_keys,
)
from pipelines.linkage.drift import count_levels_of_pairs, find_linked_pairs
from pipelines.linkage.incremental import decide_components
from pipelines.linkage.linkage_tasks import Setting
from pipelines.linkage.list_positions import apply_person_keys, find_listed_persons
from pipelines.linkage.model import Model, load_model
from pipelines.linkage.partition import divide_history_into_components, weigh_pairs
from pipelines.linkage.score import encode_persons
from pipelines.linkage.solving import SolvedLinkage, decide_in_alternating_rounds, estimate_common_statistics, find_candidate_pairs
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import Records, build_features, read_columns
from pipelines.resources.memory import release_free_memory

__all__ = ["Linked", "Model", "Solved", "link", "load_model", "solve_linkage"]


@dataclass(frozen=True)
class LinkageResult:
    """The result of linkage: the person and the case of every record, with reasons and statistics.

    - `persons`, `cases`: institution, record_key, cluster; one row for each record over all its states, ordered by earliest delivery,
      institution and key. Clusters are numbered from 0 in that order. `cases` includes implied case records.
    - `decisions`: see `pipelines.linkage.decisions.replace_rows_by_record_keys`
    - `statistics`: counts, no personal data
    - `judged`: outcomes of the judgements of stewards, see `pipelines.linkage.constraints.find_judgement_outcomes`
    - `reached`: levels that linked records reach, see `pipelines.linkage.drift.count_levels_reached`
    - `listed`: person keys of the states of lists in which the person at a position changed (`pipelines.linkage.list_positions`); all other
      frames use these keys for persons
    """

    persons: pd.DataFrame
    cases: pd.DataFrame
    decisions: pd.DataFrame
    statistics: dict[str, int | float | str]
    judged: pd.DataFrame
    reached: pd.DataFrame
    listed: pd.DataFrame


def solve_linkage(canonical: Tables, model: Model | None = None, judgements: pd.DataFrame | None = None) -> SolvedLinkage:
    """Link records, and also return the intermediate results. The parameters have the same meaning as in `link`."""
    model = model or load_model()
    tables = read_columns(canonical)
    tables = apply_person_keys(tables, find_listed_persons(tables["person_records"], model))
    landmark = find_early_history(tables)
    records = build_features(tables)
    if landmark is None:
        return decide_in_alternating_rounds(records, block_persons(records.persons), model, judgements)[0]
    common = estimate_common_statistics(landmark.take_early_rows(tables), model)
    setting = Setting(model, common, encode_persons(records.persons, model))
    history_components = divide_history_into_components(weigh_pairs(records, setting, None), setting, judgements, None)
    return decide_in_alternating_rounds(
        history_components.records, history_components.blocked, model, judgements, common, history_components.ties
    )[0]


def link(
    canonical: Tables,
    model: Model | None = None,
    judgements: pd.DataFrame | None = None,
    memory: Path | None = None,
    places: pd.DataFrame | None = None,
    spark: SplinkOnSpark | None = None,
) -> LinkageResult:
    """Link the records of the canonical tables `case_records, person_records, charges, events, references`.

    Tables may be absent or empty. The result depends on the rows (not on their order), on `model` and on `judgements`. model: default the
    one shipped. judgements: the current ones of stewards (`pipelines.linkage.constraints.JUDGEMENT_COLUMNS`), which override the weights.
    memory: folder with the results of earlier calls on a large history, so that only changed components are decided; the result is the same
    without it. places: the result of `list_positions.find_listed_persons` for these tables, if known. spark: where candidate pairs of
    persons are generated and scored; by default in process, with the same result.
    """
    model = model or load_model()
    tables = read_columns(canonical)
    places = find_listed_persons(tables["person_records"], model) if places is None else places
    tables = apply_person_keys(tables, places)
    landmark = find_early_history(tables)
    if landmark is None:
        return _link_small_history(build_features(tables), model, judgements, places, spark)
    version = memory_files.compute_memory_version(model, landmark.hash_early_rows(tables))
    loaded = memory_files.load_memory(memory, version) if memory is not None else None
    if loaded is None:
        common, earlier = estimate_common_statistics(landmark.take_early_rows(tables), model), None
        tables = apply_person_keys(read_columns(canonical), places)
    else:
        common, earlier = loaded
    records = build_features(tables)
    del tables, loaded
    setting = Setting(model, common, encode_persons(records.persons, model), memory and memory.with_name(f".{memory.name}.tasks"), spark)
    release_free_memory()  # of reading and standardising: blocking needs the most memory
    history_components = divide_history_into_components(weigh_pairs(records, setting, earlier), setting, judgements, earlier)
    decided = decide_components(history_components, setting, judgements, earlier)
    if memory is not None:
        memory_files.save_memory(memory, version, common, decided.memory)
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(history_components.blocked.report["pairs"].sum()),
        **decided.counts,
        "sure_case_pairs": int(max(common.shares[-1].observed.values(), default=0)),
        "baseline_until": landmark.until,
        "baseline_read_again": int(earlier is None),
        "components": len(history_components.keys),
        "components_decided": decided.solved,
    }
    counts = count_run_statistics(records, history_components.blocked.report, decided.cases, decided.persons, counts)
    reached = count_levels_of_pairs(records.persons, decided.alike, model)
    return _build_linkage_result(
        records, decided.cases, decided.persons, decided.decisions, decided.against, judgements, counts, reached, places
    )


def _link_small_history(
    records: Records, model: Model, judgements: pd.DataFrame | None, places: pd.DataFrame, spark: SplinkOnSpark | None
) -> LinkageResult:
    """Link a small history in one step, with statistics from its own records."""
    solved = decide_in_alternating_rounds(records, find_candidate_pairs(records, model, spark), model, judgements)[0]
    people, persons, cases = solved.people, solved.persons, solved.cases
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(solved.blocked.report["pairs"].sum()),
        **count_compared_pairs(people, cases, persons),
        "sure_case_pairs": int(max(cases.shares.observed.values(), default=0)),
    }
    decisions, against = build_decision_records(records, people, cases, persons), find_joined_pairs_against_rules(people, persons)
    counts = count_run_statistics(records, solved.blocked.report, cases.cluster, persons.cluster, counts)
    reached = count_levels_of_pairs(records.persons, find_linked_pairs(records, people, persons.cluster), model)
    return _build_linkage_result(records, cases.cluster, persons.cluster, decisions, against, judgements, counts, reached, places)


def _build_linkage_result(
    records: Records,
    cases: np.ndarray,
    persons: np.ndarray,
    decisions: pd.DataFrame,
    against: pd.DataFrame,
    judgements: pd.DataFrame | None,
    counts: dict[str, int | float | str],
    reached: pd.DataFrame,
    places: pd.DataFrame,
) -> LinkageResult:
    """Build a `LinkageResult` from the clusters and decisions."""
    clusters = {"person": _add_cluster_column(records.persons, persons), "case": _add_cluster_column(records.files, cases)}
    judged = find_judgement_outcomes(judgements, clusters, look_up_record_keys(against, records.persons))
    return LinkageResult(
        clusters["person"],
        clusters["case"],
        replace_rows_by_record_keys(decisions, records),
        counts | count_judgement_outcomes(judged),
        judged,
        reached,
        places,
    )


def _add_cluster_column(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
    """Return institution, record_key and cluster of each record."""
    return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))
