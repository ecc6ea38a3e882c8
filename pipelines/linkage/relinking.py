"""Linkage of records that are linked already, under other judgements of stewards.

Belongs here: keeping what does not depend on judgements, so that a further judgement is decided in a fraction of the time of a run. Does
not belong here: any decision (`solving`, `incremental`), which judgements are current (`harmonia.review`). The clusters are the same as
the clusters that `link` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import linkage_memory as memory_files
from pipelines.linkage.blocking import BlockedPairs
from pipelines.linkage.cases import FileTies, find_ties_between_files
from pipelines.linkage.common_statistics import Tables, find_early_history
from pipelines.linkage.constraints import find_constraints
from pipelines.linkage.incremental import decide_components
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import Setting
from pipelines.linkage.list_positions import apply_person_keys
from pipelines.linkage.model import Model
from pipelines.linkage.partition import WeighedPairs, divide_history_into_components, weigh_pairs
from pipelines.linkage.persons import are_in_one_file, lack_identifying_values
from pipelines.linkage.score import Scorer, encode_persons
from pipelines.linkage.solving import decide_in_alternating_rounds, estimate_common_statistics, find_candidate_pairs
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import Records, build_features, read_columns


@dataclass(frozen=True)
class Clusters:
    """The clusters of `cases` and `persons`: institution, record_key, cluster, as in `pipelines.linkage.Linked`."""

    cases: pd.DataFrame
    persons: pd.DataFrame


@dataclass(frozen=True)
class _SmallHistory:
    """The prepared records of a small history. All its records are decided together."""

    blocked: BlockedPairs
    ties: FileTies


@dataclass(frozen=True)
class _LargeHistory:
    """The prepared records of a large history. Only the components that changed are decided again."""

    setting: Setting
    memory: LinkageMemory | None
    weighed: WeighedPairs


class Relinking:
    """The records of a run, prepared so that they can be linked under any judgements."""

    def __init__(self, canonical: Tables, model: Model, places: pd.DataFrame, memory: Path, spark: SplinkOnSpark | None = None) -> None:
        """Prepare the records. The parameters have the same meaning as in `link`. The `memory` of the last run is read, never written."""
        tables = apply_person_keys(read_columns(canonical), places)
        self._model = model
        self.records: Records = build_features(tables)
        self._prepared = self._prepare_large_history(tables, memory, spark) or self._prepare_small_history(spark)

    def decide_clusters(self, judgements: pd.DataFrame) -> Clusters:
        """Return the clusters under `judgements` (`pipelines.linkage.constraints.JUDGEMENT_COLUMNS`, only current ones, oldest first)."""
        prepared = self._prepared
        if isinstance(prepared, _SmallHistory):
            solved = decide_in_alternating_rounds(self.records, prepared.blocked, self._model, judgements, ties=prepared.ties)[0]
            return self._add_record_keys(solved.cases.cluster, solved.persons.cluster)
        history_components = divide_history_into_components(prepared.weighed, prepared.setting, judgements, prepared.memory)
        decided = decide_components(history_components, prepared.setting, judgements, prepared.memory)
        return self._add_record_keys(decided.cases, decided.persons)

    def find_forbidding_rule(self, pair: pd.DataFrame) -> str:
        """Return the hard rule because of which linkage never joins the two persons of `pair`. Return an empty text if no rule forbids
        it, or if `pair` is about cases.

        pair: one row with the columns of a judgement. `one_file`: both are in one file. `unidentified`: one has neither name, number nor
        birth date.
        """
        if pair["entity"].iloc[0] != "person":
            return ""
        rows = find_constraints(pair.assign(verdict="same"), "person", self.records.persons).same
        if not len(rows):
            return ""
        left, right = rows[:, 0], rows[:, 1]
        anonymous = lack_identifying_values(self.records.persons)
        if are_in_one_file(self.records.persons, left, right).any():
            return "one_file"
        return "unidentified" if (anonymous[left] | anonymous[right]).any() else ""

    def _prepare_small_history(self, spark: SplinkOnSpark | None) -> _SmallHistory:
        self.records.memo["scorer"] = Scorer.for_persons(self.records.persons, self._model)
        return _SmallHistory(find_candidate_pairs(self.records, self._model, spark), find_ties_between_files(self.records))

    def _prepare_large_history(self, tables: dict[str, pd.DataFrame], memory: Path, spark: SplinkOnSpark | None) -> _LargeHistory | None:
        landmark = find_early_history(tables)
        if landmark is None:
            return None
        loaded = memory_files.load_memory(memory, memory_files.compute_memory_version(self._model, landmark.hash_early_rows(tables)))
        common, earlier = loaded or (estimate_common_statistics(landmark.take_early_rows(tables), self._model), None)
        setting = Setting(self._model, common, encode_persons(self.records.persons, self._model), spark=spark)
        return _LargeHistory(setting, earlier, weigh_pairs(self.records, setting, earlier))

    def _add_record_keys(self, cases: np.ndarray, persons: np.ndarray) -> Clusters:
        def add_keys(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
            return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))

        return Clusters(add_keys(self.records.files, cases), add_keys(self.records.persons, persons))
