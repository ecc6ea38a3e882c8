"""Decision records for pairs whose two records are in different components. Such pairs are never joined. A decision record is written for
them, as for pairs within a component, if it is in some doubt that they must be kept apart.

Belongs here: the final weight of these pairs and the reasons for it, and looking up the reasons in the linkage memory. Does not belong
here: components (`partition`), which decisions are recorded (`decisions`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage import pair_graph
from pipelines.linkage.cases import weigh_references_to_competing_case_files
from pipelines.linkage.decisions import (
    DOUBT_BITS,
    MIN_RECORDED_WEIGHT,
    assemble_decision_records,
    write_reasons_of_case_pairs,
    write_reasons_of_person_pairs,
)
from pipelines.linkage.hashing import mix_hashes
from pipelines.linkage.linkage_memory import LinkageMemory
from pipelines.linkage.linkage_tasks import SharedTaskInput, convert_frames_to_records
from pipelines.linkage.partition import HistoryComponents
from pipelines.linkage.person_pairs import ComparedPersonPairs
from pipelines.linkage.persons import compute_prior_odds_between_cases, lack_identifying_values
from pipelines.resources.integer_arrays import find_positions


@dataclass(frozen=True)
class CrossComponentDecisions:
    """The decision records of pairs across components.

    cases_in_doubt, persons_in_doubt: the numbers of doubtful pairs of case files and of persons. reasons: the frame `cross_reasons` of the
    linkage memory for the next run.
    """

    decisions: pd.DataFrame
    cases_in_doubt: int
    persons_in_doubt: int
    reasons: pd.DataFrame


def record_cross_component_decisions(
    history_components: HistoryComponents, shared_input: SharedTaskInput, citing_pairs: pd.DataFrame, linkage_memory: LinkageMemory | None
) -> CrossComponentDecisions:
    """Return the decision records of pairs whose records are in different components.

    citing_pairs: the pairs of case files within components in which one file cites the other or was merged into it. Columns: a, b, weight.
    """
    known_reasons = None if linkage_memory is None else linkage_memory.cross_reasons
    cases, of_cases = _build_decisions_between_components(history_components, shared_input, citing_pairs, known_reasons)
    persons, of_persons = _build_person_decisions(history_components, shared_input, known_reasons)
    records = pd.concat([cases, persons], ignore_index=True)
    reasons = pd.DataFrame({"pair": np.concatenate([of_cases, of_persons]), "reasons": records["reasons"]})
    return CrossComponentDecisions(
        records, _count_decisions_in_doubt(cases), _count_decisions_in_doubt(persons), reasons.sort_values("pair", ignore_index=True)
    )


def _count_decisions_in_doubt(decision_records: pd.DataFrame) -> int:
    """Count the decision records whose weight is so near to zero that they are in doubt."""
    return int(decision_records["weight"].abs().lt(DOUBT_BITS).sum())


def _build_decisions_between_components(
    history_components: HistoryComponents, shared_input: SharedTaskInput, citing_pairs: pd.DataFrame, known_reasons: pd.DataFrame | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the decision records of pairs of case files, and for each pair a hash of its two files and of its evidence from competing
    files.
    """
    pairs = history_components.files_across
    weighed = pd.concat([citing_pairs, pairs[["a", "b", "weight"]]], ignore_index=True)
    pairs = pairs[pairs["weight"] >= MIN_RECORDED_WEIGHT]
    another = weigh_references_to_competing_case_files(
        history_components.records, shared_input.model, pairs, history_components.connections, weighed
    )
    pairs = pairs.assign(another=another, weight=pairs["weight"] + another)
    pairs = pairs[pairs["weight"] >= MIN_RECORDED_WEIGHT].reset_index(drop=True)

    def write_reasons(rows: np.ndarray) -> pd.Series:
        chosen = pairs.iloc[rows].reset_index(drop=True)
        frames = pair_graph.select_records_of_case_file_pairs(history_components.records, history_components.connections, chosen)
        records, connections = convert_frames_to_records(frames, shared_input)
        person_pairs = ComparedPersonPairs(records, shared_input.model)
        own, bits = pair_graph.weigh_case_file_pairs_without_other_files(
            records, person_pairs, frames["pairs"], connections, shared_input, len(pair_graph.ROUND_NAMES) - 1
        )
        return write_reasons_of_case_pairs(own.assign(another=chosen["another"]), bits, np.arange(len(own)))

    hashed = mix_hashes(pairs["pair"].to_numpy(), pairs["another"].to_numpy("float64").view("uint64"), np.zeros(len(pairs)))
    a, b, weight = (pairs[name].to_numpy() for name in ("a", "b", "weight"))
    return assemble_decision_records(
        False, a, b, weight, history_components.of_files, _look_up_or_write_reasons(hashed, known_reasons, write_reasons)
    ), hashed


def _build_person_decisions(
    history_components: HistoryComponents, shared_input: SharedTaskInput, known_reasons: pd.DataFrame | None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the decision records of pairs of persons, and a hash of each pair."""
    pairs = history_components.persons_across
    weight = pairs["weight"].to_numpy() + compute_prior_odds_between_cases(
        history_components.records, shared_input.model.persons, shared_input.common.again[0]
    )
    anonymous = lack_identifying_values(history_components.records.persons)
    left, right = pairs["left"].to_numpy(), pairs["right"].to_numpy()
    recorded = np.flatnonzero((weight >= MIN_RECORDED_WEIGHT) & ~anonymous[left] & ~anonymous[right])
    left, right = left[recorded], right[recorded]

    def write_reasons(chosen: np.ndarray) -> pd.Series:
        return write_reasons_of_person_pairs(
            shared_input.scorer.compute_likelihoods_of_pairs(left[chosen], right[chosen]).bits.assign(same_case=0.0)
        )

    hashed = mix_hashes(pairs["pair"].to_numpy()[recorded], np.ones(len(recorded)))
    return assemble_decision_records(
        True, left, right, weight[recorded], history_components.of_persons, _look_up_or_write_reasons(hashed, known_reasons, write_reasons)
    ), hashed


def _look_up_or_write_reasons(
    pair_hashes: np.ndarray, known_reasons: pd.DataFrame | None, write_reasons: Callable[[np.ndarray], pd.Series]
) -> pd.Series:
    """Return the text with the reasons for the decision on each pair.

    The text is taken from `known_reasons` (the frame `cross_reasons` of a linkage memory) if the hash of the pair is there. Otherwise
    `write_reasons` writes it.
    """
    texts, new = pd.Series("", index=np.arange(len(pair_hashes)), dtype="str"), np.ones(len(pair_hashes), dtype=bool)
    if known_reasons is not None:
        position, is_known = find_positions(pair_hashes, known_reasons["pair"].to_numpy())
        texts[is_known], new = known_reasons["reasons"].array.take(position[is_known]), ~is_known
    if new.any():
        texts[new] = write_reasons(np.flatnonzero(new)).array
    return texts
