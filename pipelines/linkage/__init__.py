"""Record linkage: decides which records belong to the same person, and which belong to the same case.

Belongs here: the entry point. Does not belong here: permanent identifiers (`harmonia.registry.identity`), counting.

The modules and their steps are:

- `standardise` makes one row for each record from all its delivered states, and `blocking` finds candidate pairs.
- `compare` and `score` compute match weights with the numbers of `model`.
- `cases` decides which case files are one case, with the help of `references`, `evidence`, `certain_pairs` and `person_overlap`. `persons`
  decides which person records are one person.
- `cluster` forms clusters, `constraints` applies the decisions of stewards, and `decisions` records the reasons.
- `solving` alternates between deciding cases and deciding persons.

A large history uses common statistics (`common_statistics`), and is divided into connected components (`pair_graph`, `partition`). Only
components that are not in the `linkage_memory` are decided (`incremental`). `cross_component` records why records of different components
were not joined.

Persons and cases are evidence for each other: similar persons connect case files, and two person records in files of one case need less
evidence to be joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import linkage_memory as memory_files
from pipelines.linkage.blocking import find_person_pairs_by_blocking
from pipelines.linkage.common_statistics import Tables, find_early_part_of_history
from pipelines.linkage.constraints import count_judgement_outcomes, find_judgement_outcomes
from pipelines.linkage.decisions import (
    build_decision_records,
    count_compared_pairs,
    count_run_statistics,
    find_joined_pairs_against_rules,
    look_up_record_keys,
    replace_row_numbers_by_record_keys,
)
from pipelines.linkage.drift import count_comparison_levels, find_linked_pairs_between_institutions
from pipelines.linkage.incremental import link_records_of_components
from pipelines.linkage.linkage_tasks import SharedTaskInput
from pipelines.linkage.list_positions import find_keys_of_listed_persons, replace_record_keys_by_person_keys
from pipelines.linkage.model import LinkageModel, load_linkage_model
from pipelines.linkage.partition import divide_history_into_components, weigh_pairs_of_history
from pipelines.linkage.score import encode_persons
from pipelines.linkage.solving import (
    DetailedLinkageResult,
    estimate_common_statistics,
    find_candidate_person_pairs,
    link_in_alternating_rounds,
)
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records, read_linkage_columns
from pipelines.resources.memory import release_free_memory

__all__ = [
    "DetailedLinkageResult",
    "LinkageModel",
    "LinkageResult",
    "compute_detailed_linkage_result",
    "link_records",
    "load_linkage_model",
]


@dataclass(frozen=True)
class LinkageResult:
    """The result of linkage: the person and the case of every record, with reasons and statistics.

    - `persons`, `cases`: the cluster of each person record and of each case record, with the columns institution, record_key and cluster. A
      record has one row, even if several of its states were delivered. Rows are ordered by earliest delivery, institution and key, and
      clusters are numbered from 0 in that order. `cases` includes implied case records (see `standardise`).
    - `decisions`: the joined and refused pairs, see `pipelines.linkage.decisions.replace_row_numbers_by_record_keys`
    - `statistics`: counts of the run, without personal data
    - `judged`: the outcomes of the judgements of stewards, see `pipelines.linkage.constraints.find_judgement_outcomes`
    - `reached`: how many linked records reach each comparison level, see `drift.count_comparison_levels_of_linked_records`
    - `listed`: the person keys of records whose key is a position in a list, for lists in which the person at a position changed
      (`pipelines.linkage.list_positions`). All other frames use these keys for persons.
    """

    persons: pd.DataFrame
    cases: pd.DataFrame
    decisions: pd.DataFrame
    statistics: dict[str, int | float | str]
    judged: pd.DataFrame
    reached: pd.DataFrame
    listed: pd.DataFrame


def compute_detailed_linkage_result(
    canonical_tables: Tables, model: LinkageModel | None = None, judgements: pd.DataFrame | None = None
) -> DetailedLinkageResult:
    """Link records like `link_records`, and return the intermediate results too. The parameters mean the same as in `link_records`."""
    model = model or load_linkage_model()
    tables = read_linkage_columns(canonical_tables)
    tables = replace_record_keys_by_person_keys(tables, find_keys_of_listed_persons(tables["person_records"], model))
    early_history = find_early_part_of_history(tables)
    records = build_linkage_records(tables)
    if early_history is None:
        return link_in_alternating_rounds(records, find_person_pairs_by_blocking(records.persons), model, judgements)[0]
    common = estimate_common_statistics(early_history.take_early_rows(tables), model)
    shared_input = SharedTaskInput(model, common, encode_persons(records.persons, model))
    history_components = divide_history_into_components(weigh_pairs_of_history(records, shared_input, None), shared_input, judgements, None)
    return link_in_alternating_rounds(
        history_components.records, history_components.blocked, model, judgements, common, history_components.connections
    )[0]


def link_records(
    canonical_tables: Tables,
    model: LinkageModel | None = None,
    judgements: pd.DataFrame | None = None,
    memory_folder: Path | None = None,
    listed_person_keys: pd.DataFrame | None = None,
    spark: SplinkOnSpark | None = None,
) -> LinkageResult:
    """Link the records of the canonical tables `case_records, person_records, charges, events, references`.

    Tables may be absent or empty. The result depends on the rows (not on their order), on `model` and on `judgements`.

    - `model`: the linkage model; by default the model that `load_linkage_model` returns
    - `judgements`: the current judgements of stewards (`pipelines.linkage.constraints.JUDGEMENT_COLUMNS`), which override the weights
    - `memory_folder`: the folder with the linkage memory of the last run on a large history, so that only changed components are decided;
      the result is the same without it
    - `listed_person_keys`: the result of `list_positions.find_keys_of_listed_persons` for these tables, if the caller has it already
    - `spark`: the Spark cluster on which candidate pairs of persons are generated and scored. By default this process does both; the result
      is the same.
    """
    model = model or load_linkage_model()
    tables = read_linkage_columns(canonical_tables)
    listed_person_keys = find_keys_of_listed_persons(tables["person_records"], model) if listed_person_keys is None else listed_person_keys
    tables = replace_record_keys_by_person_keys(tables, listed_person_keys)
    early_history = find_early_part_of_history(tables)
    if early_history is None:
        return _link_small_history(build_linkage_records(tables), model, judgements, listed_person_keys, spark)
    version = memory_files.compute_linkage_memory_version(model, early_history.hash_early_rows(tables))
    loaded = memory_files.load_linkage_memory(memory_folder, version) if memory_folder is not None else None
    if loaded is None:
        common, linkage_memory = estimate_common_statistics(early_history.take_early_rows(tables), model), None
        tables = replace_record_keys_by_person_keys(read_linkage_columns(canonical_tables), listed_person_keys)
    else:
        common, linkage_memory = loaded
    records = build_linkage_records(tables)
    del tables, loaded
    shared_input = SharedTaskInput(
        model,
        common,
        encode_persons(records.persons, model),
        memory_folder and memory_folder.with_name(f".{memory_folder.name}.tasks"),
        spark,
    )
    release_free_memory()  # of reading and standardising: blocking needs the most memory
    history_components = divide_history_into_components(
        weigh_pairs_of_history(records, shared_input, linkage_memory), shared_input, judgements, linkage_memory
    )
    decided = link_records_of_components(history_components, shared_input, judgements, linkage_memory)
    if memory_folder is not None:
        memory_files.save_linkage_memory(memory_folder, version, common, decided.memory)
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(history_components.blocked.report["pairs"].sum()),
        **decided.counts,
        "sure_case_pairs": int(max(common.shares[-1].observed.values(), default=0)),
        "baseline_until": early_history.until,
        "baseline_read_again": int(linkage_memory is None),
        "components": len(history_components.keys),
        "components_decided": decided.solved,
    }
    counts = count_run_statistics(records, history_components.blocked.report, decided.cases, decided.persons, counts)
    reached_levels = count_comparison_levels(records.persons, decided.alike, model)
    return _build_linkage_result(
        records, decided.cases, decided.persons, decided.decisions, decided.against, judgements, counts, reached_levels, listed_person_keys
    )


def _link_small_history(
    records: LinkageRecords,
    model: LinkageModel,
    judgements: pd.DataFrame | None,
    listed_person_keys: pd.DataFrame,
    spark: SplinkOnSpark | None,
) -> LinkageResult:
    """Link all records of a small history together, with statistics that are estimated from the same records."""
    detailed_result = link_in_alternating_rounds(records, find_candidate_person_pairs(records, model, spark), model, judgements)[0]
    person_pairs, persons, cases = detailed_result.person_pairs, detailed_result.persons, detailed_result.cases
    counts: dict[str, int | float | str] = {
        "model": model.version,
        "person_pairs_blocked": int(detailed_result.blocked.report["pairs"].sum()),
        **count_compared_pairs(person_pairs, cases, persons),
        "sure_case_pairs": int(max(cases.shares.observed.values(), default=0)),
    }
    decisions, pairs_against_rules = (
        build_decision_records(records, person_pairs, cases, persons),
        find_joined_pairs_against_rules(person_pairs, persons),
    )
    counts = count_run_statistics(records, detailed_result.blocked.report, cases.cluster, persons.cluster, counts)
    reached_levels = count_comparison_levels(
        records.persons, find_linked_pairs_between_institutions(records, person_pairs, persons.cluster), model
    )
    return _build_linkage_result(
        records, cases.cluster, persons.cluster, decisions, pairs_against_rules, judgements, counts, reached_levels, listed_person_keys
    )


def _build_linkage_result(
    records: LinkageRecords,
    case_cluster: np.ndarray,
    person_cluster: np.ndarray,
    decisions: pd.DataFrame,
    pairs_against_rules: pd.DataFrame,
    judgements: pd.DataFrame | None,
    run_counts: dict[str, int | float | str],
    reached_levels: pd.DataFrame,
    listed_person_keys: pd.DataFrame,
) -> LinkageResult:
    """Build a `LinkageResult` from the clusters, the decision records and the counts of the run."""
    clusters = {"person": _add_cluster_column(records.persons, person_cluster), "case": _add_cluster_column(records.files, case_cluster)}
    judged = find_judgement_outcomes(judgements, clusters, look_up_record_keys(pairs_against_rules, records.persons))
    return LinkageResult(
        clusters["person"],
        clusters["case"],
        replace_row_numbers_by_record_keys(decisions, records),
        run_counts | count_judgement_outcomes(judged),
        judged,
        reached_levels,
        listed_person_keys,
    )


def _add_cluster_column(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
    """Return the columns institution and record_key of `frame`, with the cluster of each record as a third column."""
    return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))
