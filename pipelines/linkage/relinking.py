"""Linkage of records that are linked already, under other judgements of stewards.

Belongs here: keeping what does not depend on judgements, so that a further judgement is decided in a fraction of the time of a run. Does
not belong here: any decision (`solving`, `incremental`), which judgements are current (`harmonia.review`). The clusters are the same as
those of `link`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.linkage import linkage_memory as memory_files
from pipelines.linkage.blocking import BlockedPairs
from pipelines.linkage.cases import FileTies, find_ties
from pipelines.linkage.common_statistics import Tables, find_landmark
from pipelines.linkage.constraints import find_constraints
from pipelines.linkage.incremental import decide_components
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import Setting
from pipelines.linkage.list_positions import apply_person_keys
from pipelines.linkage.model import Model
from pipelines.linkage.partition import WeighedPairs, partition_records, weigh_pairs
from pipelines.linkage.persons import are_in_one_file, lacks_identity
from pipelines.linkage.score import Scorer, encode_persons
from pipelines.linkage.solving import alternate_rounds, estimate_common_statistics, find_candidate_pairs
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records, build_features, read_columns


@dataclass(frozen=True)
class Clusters:
    """The clusters of `cases` and `persons`: institution, record_key, cluster, as in `pipelines.linkage.Linked`."""

    cases: pd.DataFrame
    persons: pd.DataFrame


@dataclass(frozen=True)
class _WholeHistory:
    """A small history, which is decided in one step."""

    blocked: BlockedPairs
    ties: FileTies


@dataclass(frozen=True)
class _DividedHistory:
    """A large history, of which only changed components are decided."""

    setting: Setting
    memory: LinkageMemory | None
    weighed: WeighedPairs


class Relinking:
    """The records of a run, prepared so that they can be linked under any judgements."""

    def __init__(self, canonical: Tables, model: Model, places: pd.DataFrame, memory: Path, spark: Spark | None = None) -> None:
        """Prepare the records. The parameters are those of `link`. The `memory` of the last run is read, never written."""
        tables = apply_person_keys(read_columns(canonical), places)
        self._model = model
        self.records: Records = build_features(tables)
        self._prepared = self._prepare_divided(tables, memory, spark) or self._prepare_whole(spark)

    def clusters(self, judgements: pd.DataFrame) -> Clusters:
        """Return the clusters under `judgements` (`pipelines.linkage.constraints.JUDGEMENT_COLUMNS`, only current ones, oldest first)."""
        prepared = self._prepared
        if isinstance(prepared, _WholeHistory):
            solved = alternate_rounds(self.records, prepared.blocked, self._model, judgements, ties=prepared.ties)[0]
            return self._with_record_keys(solved.cases.cluster, solved.persons.cluster)
        partition = partition_records(prepared.weighed, prepared.setting, judgements, prepared.memory)
        decided = decide_components(partition, prepared.setting, judgements, prepared.memory)
        return self._with_record_keys(decided.cases, decided.persons)

    def forbidden(self, pair: pd.DataFrame) -> str:
        """Return the hard rule because of which linkage never joins the two persons of `pair`; empty if there is none, and for cases.

        pair: one row with the columns of a judgement. `one_file`: both are in one file. `unidentified`: one has neither name, number nor
        birth date.
        """
        if pair["entity"].iloc[0] != "person":
            return ""
        rows = find_constraints(pair.assign(verdict="same"), "person", self.records.persons).same
        if not len(rows):
            return ""
        left, right = rows[:, 0], rows[:, 1]
        anonymous = lacks_identity(self.records.persons)
        if are_in_one_file(self.records.persons, left, right).any():
            return "one_file"
        return "unidentified" if (anonymous[left] | anonymous[right]).any() else ""

    def _prepare_whole(self, spark: Spark | None) -> _WholeHistory:
        self.records.memo["scorer"] = Scorer.for_persons(self.records.persons, self._model)
        return _WholeHistory(find_candidate_pairs(self.records, self._model, spark), find_ties(self.records))

    def _prepare_divided(self, tables: dict[str, pd.DataFrame], memory: Path, spark: Spark | None) -> _DividedHistory | None:
        landmark = find_landmark(tables)
        if landmark is None:
            return None
        loaded = memory_files.load_memory(memory, memory_files.data_version(self._model, landmark.fingerprint(tables)))
        common, earlier = loaded or (estimate_common_statistics(landmark.take_rows(tables), self._model), None)
        setting = Setting(self._model, common, encode_persons(self.records.persons, self._model), spark=spark)
        return _DividedHistory(setting, earlier, weigh_pairs(self.records, setting, earlier))

    def _with_record_keys(self, cases: np.ndarray, persons: np.ndarray) -> Clusters:
        def named(frame: pd.DataFrame, cluster: np.ndarray) -> pd.DataFrame:
            return frame[["institution", "record_key"]].assign(cluster=cluster.astype("int64"))

        return Clusters(named(self.records.files, cases), named(self.records.persons, persons))
