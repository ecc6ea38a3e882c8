"""Decision records for pairs of records of two components. Such pairs are never joined; they are recorded if they were refused in some
doubt, as pairs within a component are.

Belongs here: their final weight and evidence, and looking it up in the memory. Does not belong here: components (`partition`), which
decisions are recorded (`decisions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.cases import cites_another
from pipelines.linkage.decisions import IN_DOUBT, LEAST_WEIGHT, as_decision_records, case_reasons, person_reasons
from pipelines.linkage.hashing import mix_hashes
from pipelines.linkage.memory import LinkageMemory
from pipelines.linkage.pairs import PersonPairs
from pipelines.linkage.partition import Partition
from pipelines.linkage.persons import lacks_identity, prior_between_cases
from pipelines.linkage.tasks import Setting, unpack_records
from pipelines.resources.integer_arrays import find_positions


@dataclass(frozen=True)
class CrossComponent:
    """Decision records (`decisions`), the number of pairs of files and of persons in doubt, and the `cross_reasons` of a memory."""

    decisions: pd.DataFrame
    cases_in_doubt: int
    persons_in_doubt: int
    reasons: pd.DataFrame


def cross_component_decisions(partition: Partition, setting: Setting, cited: pd.DataFrame, memory: LinkageMemory | None) -> CrossComponent:
    """Return the decision records of pairs across components. cited: a, b, weight of files that cite each other, within their
    components."""
    known = None if memory is None else memory.cross_reasons
    cases, of_cases = _case_decisions(partition, setting, cited, known)
    persons, of_persons = _person_decisions(partition, setting, known)
    records = pd.concat([cases, persons], ignore_index=True)
    reasons = pd.DataFrame({"pair": np.concatenate([of_cases, of_persons]), "reasons": records["reasons"]})
    return CrossComponent(records, _count_in_doubt(cases), _count_in_doubt(persons), reasons.sort_values("pair", ignore_index=True))


def _count_in_doubt(records: pd.DataFrame) -> int:
    """Count the decision records in doubt."""
    return int(records["weight"].abs().lt(IN_DOUBT).sum())


def _case_decisions(
    partition: Partition, setting: Setting, cited: pd.DataFrame, known: pd.DataFrame | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the `decision_records` of pairs of files, and the hash of each pair with its evidence from third files."""
    pairs = partition.files_across
    weighed = pd.concat([cited, pairs[["a", "b", "weight"]]], ignore_index=True)
    pairs = pairs[pairs["weight"] >= LEAST_WEIGHT]
    another = cites_another(partition.records, setting.model, pairs, partition.ties.cites, weighed)
    pairs = pairs.assign(another=another, weight=pairs["weight"] + another)
    pairs = pairs[pairs["weight"] >= LEAST_WEIGHT].reset_index(drop=True)

    def reasons(rows: np.ndarray) -> pd.Series:
        chosen = pairs.iloc[rows].reset_index(drop=True)
        frames = pair_graph.cut_to_pairs(partition.records, partition.ties, chosen)
        records, ties = unpack_records(frames, setting)
        people = PersonPairs(records, setting.model)
        own, bits = pair_graph.weigh_alone(records, people, frames["pairs"], ties, setting, len(pair_graph.ROUNDS) - 1)
        return case_reasons(own.assign(another=chosen["another"]), bits, np.arange(len(own)))

    hashed = mix_hashes(pairs["pair"].to_numpy(), pairs["another"].to_numpy("float64").view("uint64"), np.zeros(len(pairs)))
    a, b, weight = (pairs[name].to_numpy() for name in ("a", "b", "weight"))
    return as_decision_records(False, a, b, weight, partition.of_files, _find_reasons(hashed, known, reasons)), hashed


def _person_decisions(partition: Partition, setting: Setting, known: pd.DataFrame | None) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the `decision_records` of pairs of persons, and the hash of each pair."""
    pairs = partition.persons_across
    weight = pairs["weight"].to_numpy() + prior_between_cases(partition.records, setting.model.persons, setting.common.again[0])
    anonymous = lacks_identity(partition.records.persons)
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    recorded = np.flatnonzero((weight >= LEAST_WEIGHT) & ~anonymous[left] & ~anonymous[right])
    left, right = left[recorded], right[recorded]

    def reasons(chosen: np.ndarray) -> pd.Series:
        return person_reasons(setting.scorer.likelihoods(left[chosen], right[chosen]).bits.assign(same_case=0.0))

    hashed = mix_hashes(pairs["pair"].to_numpy()[recorded], np.ones(len(recorded)))
    return as_decision_records(True, left, right, weight[recorded], partition.of_persons, _find_reasons(hashed, known, reasons)), hashed


def _find_reasons(hashed: np.ndarray, known: pd.DataFrame | None, reasons: Callable[[np.ndarray], pd.Series]) -> pd.Series:
    """Return the reasons of each pair: from `known` (`cross_reasons` of a memory) by the hash of the pair, else from `reasons`."""
    found, new = pd.Series("", index=np.arange(len(hashed)), dtype="str"), np.ones(len(hashed), dtype=bool)
    if known is not None:
        place, there = find_positions(hashed, known["pair"].to_numpy())
        found[there], new = known["reasons"].array.take(place[there]), ~there
    if new.any():
        found[new] = reasons(np.flatnonzero(new)).array
    return found
