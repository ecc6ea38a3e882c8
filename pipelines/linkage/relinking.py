"""Relinking: linking the records of a run again, under other judgements of stewards.

Belongs here: keeping everything that does not depend on judgements, so that the effect of a further judgement is computed in a fraction of
the time of a run. Does not belong here: any decision (`solving`, `incremental`), which judgements are current (`harmonia.review`). The
clusters are the same as those that `link_records` returns for the same judgements.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import linkage_memory as memory_files
from pipelines.linkage.blocking import BlockedPairs
from pipelines.linkage.cases import CaseFileConnections, find_connections_between_case_files
from pipelines.linkage.common_statistics import Tables, find_early_part_of_history
from pipelines.linkage.constraints import find_cluster_constraints
from pipelines.linkage.incremental import link_records_of_components
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import SharedTaskInput
from pipelines.linkage.list_positions import replace_record_keys_by_person_keys
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.partition import WeighedHistory, divide_history_into_components, weigh_pairs_of_history
from pipelines.linkage.persons import are_persons_in_one_case_file, lack_identifying_values
from pipelines.linkage.score import PairScorer, encode_persons
from pipelines.linkage.solving import estimate_common_statistics, find_candidate_person_pairs, link_in_alternating_rounds
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import LinkageRecords, build_linkage_records, read_linkage_columns


@dataclass(frozen=True)
class RecordClusters:
    """The cluster of each case record (`cases`) and of each person record (`persons`), as in `pipelines.linkage.LinkageResult`.

    Both frames have the columns institution, record_key and cluster.
    """

    cases: pd.DataFrame
    persons: pd.DataFrame


@dataclass(frozen=True)
class _SmallHistory:
    """The prepared input of a small history, whose records are all decided together."""

    blocked: BlockedPairs
    connections: CaseFileConnections


@dataclass(frozen=True)
class _LargeHistory:
    """The prepared input of a large history. Only components that the linkage memory lacks are decided."""

    setting: SharedTaskInput
    memory: LinkageMemory | None
    weighed: WeighedHistory


class PreparedRelinking:
    """The records of a run, prepared so that they can be linked under any judgements."""

    def __init__(
        self,
        canonical_tables: Tables,
        model: LinkageModel,
        listed_person_keys: pd.DataFrame,
        memory_folder: Path,
        spark: SplinkOnSpark | None = None,
    ) -> None:
        """Prepare the records. The parameters have the same meaning as in `link_records`.

        The linkage memory of the last run is read from `memory_folder`. It is not changed.
        """
        tables = replace_record_keys_by_person_keys(read_linkage_columns(canonical_tables), listed_person_keys)
        self._model = model
        self.records: LinkageRecords = build_linkage_records(tables)
        self._prepared = self._prepare_large_history(tables, memory_folder, spark) or self._prepare_small_history(spark)

    def link_under_judgements(self, judgements: pd.DataFrame) -> RecordClusters:
        """Return the clusters that result from `judgements`.

        judgements: the current judgements with the columns `pipelines.linkage.constraints.JUDGEMENT_COLUMNS`, oldest first.
        """
        prepared = self._prepared
        if isinstance(prepared, _SmallHistory):
            detailed_result = link_in_alternating_rounds(
                self.records, prepared.blocked, self._model, judgements, connections=prepared.connections
            )[0]
            return self._add_record_keys(detailed_result.cases.cluster, detailed_result.persons.cluster)
        history_components = divide_history_into_components(prepared.weighed, prepared.setting, judgements, prepared.memory)
        decided = link_records_of_components(history_components, prepared.setting, judgements, prepared.memory)
        return self._add_record_keys(decided.cases, decided.persons)

    def find_forbidding_rule(self, pair: pd.DataFrame) -> str:
        """Return the name of the hard rule that forbids to join the two person records of `pair`.

        The name is `one_file` if both records are in one case file, and `unidentified` if one of them has no identifying value, such as a
        name, number or birth date. It is empty if no rule forbids to join them, or if `pair` is a pair of case files. pair: one row with
        the columns of a judgement.
        """
        if pair["entity"].iloc[0] != "person":
            return ""
        rows = find_cluster_constraints(pair.assign(verdict="same"), "person", self.records.persons).same
        if not len(rows):
            return ""
        left, right = rows[:, 0], rows[:, 1]
        anonymous = lack_identifying_values(self.records.persons)
        if are_persons_in_one_case_file(self.records.persons, left, right).any():
            return "one_file"
        return "unidentified" if (anonymous[left] | anonymous[right]).any() else ""

    def _prepare_small_history(self, spark: SplinkOnSpark | None) -> _SmallHistory:
        self.records.memo["scorer"] = PairScorer.make_for_persons(self.records.persons, self._model)
        return _SmallHistory(
            find_candidate_person_pairs(self.records, self._model, spark), find_connections_between_case_files(self.records)
        )

    def _prepare_large_history(
        self, tables: dict[str, pd.DataFrame], memory_folder: Path, spark: SplinkOnSpark | None
    ) -> _LargeHistory | None:
        early_history = find_early_part_of_history(tables)
        if early_history is None:
            return None
        loaded = memory_files.load_linkage_memory(
            memory_folder, memory_files.compute_linkage_memory_version(self._model, early_history.hash_early_rows(tables))
        )
        common, linkage_memory = loaded or (estimate_common_statistics(early_history.take_early_rows(tables), self._model), None)
        shared_input = SharedTaskInput(self._model, common, encode_persons(self.records.persons, self._model), spark=spark)
        return _LargeHistory(shared_input, linkage_memory, weigh_pairs_of_history(self.records, shared_input, linkage_memory))

    def _add_record_keys(self, case_cluster: np.ndarray, person_cluster: np.ndarray) -> RecordClusters:
        def add_keys(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
            return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))

        return RecordClusters(add_keys(self.records.files, case_cluster), add_keys(self.records.persons, person_cluster))
