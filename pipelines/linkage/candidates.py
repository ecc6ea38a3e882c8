"""All pairs that linkage compares, with their match weights. The review by stewards draws its samples from these pairs.

Belongs here: the frame of candidate pairs. Does not belong here: sampling (`harmonia.review`), decisions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.linkage import compute_detailed_linkage_result
from pipelines.linkage.decisions import look_up_record_keys
from pipelines.linkage.model import LinkageModel

# Pairs of persons that weigh less than this and share no value of a blocking key are left out. They were compared only because their case
# files may be one case.
MIN_BITS = -20.0


def list_candidate_pairs(
    canonical_tables: Mapping[str, pd.DataFrame], model: LinkageModel | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the candidate pairs of the canonical tables in a fixed order, and how many compared pairs of persons are not among them.

    The candidate pairs have the columns entity, institution_a, key_a, institution_b, key_b and weight (bits). A pair of persons is left out
    if a hard rule forbids it (counted as `forbidden`), or if no blocking key finds it and it weighs less than `MIN_BITS` (counted as
    `nothing_shared`).
    """
    solved = compute_detailed_linkage_result(canonical_tables, model)
    people, pairs = solved.person_pairs, solved.cases.pairs
    blocked = np.zeros(len(people), dtype=bool)
    blocked[people.find_positions_of_pairs(solved.blocked.left, solved.blocked.right)] = True
    weight = solved.persons.weight
    forbidden = solved.persons.never
    nothing_shared = ~blocked & (weight < MIN_BITS) & ~forbidden
    chosen = ~forbidden & ~nothing_shared
    persons = _make_pair_table("person", solved.records.persons, people.left[chosen], people.right[chosen], weight[chosen])
    cases = _make_pair_table(
        "case", solved.records.files, pairs["a"].to_numpy(), pairs["b"].to_numpy(), pairs["weight"].to_numpy("float64")
    )
    return pd.concat([cases, persons], ignore_index=True), {"forbidden": int(forbidden.sum()), "nothing_shared": int(nothing_shared.sum())}


def _make_pair_table(entity: str, records: pd.DataFrame, left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    """Return the pairs of rows `left`, `right` of `records` as a table with record keys, weight and entity."""
    rows = look_up_record_keys(pd.DataFrame({"a": left, "b": right}), records).assign(weight=weight)
    rows.insert(0, "entity", pd.Series(entity, index=rows.index, dtype="str"))
    return rows
