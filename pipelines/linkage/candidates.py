"""Every pair that linkage compares, with its weight: what a blind sample is drawn from.

Belongs here: the frame of candidate pairs. Does not belong here: sampling (`pipelines.review`), decisions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipelines.linkage import solve
from pipelines.linkage.decisions import keys_of
from pipelines.linkage.model import Model

# Two persons who share no blocking key and whose weight is below this were compared only because their files might be one case.
LEAST_BITS = -20.0


def candidates(canonical: Mapping[str, pd.DataFrame], model: Model | None = None) -> tuple[pd.DataFrame, dict[str, int]]:
    """The candidate pairs of the canonical tables: `entity, institution_a, key_a, institution_b, key_b, weight` (bits), in a fixed order.

    A candidate is a pair that a blocking key proposed, or that was compared for the files' sake and weighs `LEAST_BITS` or more; not
    one that a hard rule forbids. Also how many pairs were left out, by reason: `forbidden`, `nothing_shared`.
    """
    solved = solve(canonical, model)
    people, pairs = solved.people, solved.cases.pairs
    blocked = np.zeros(len(people), dtype=bool)
    blocked[people.at(solved.blocked.left, solved.blocked.right)] = True
    weight = solved.persons.weight
    forbidden = solved.persons.never
    apart = ~blocked & (weight < LEAST_BITS) & ~forbidden
    kept = ~forbidden & ~apart
    persons = _rows("person", solved.records.persons, people.left[kept], people.right[kept], weight[kept])
    cases = _rows("case", solved.records.files, pairs["a"].to_numpy(), pairs["b"].to_numpy(), pairs["weight"].to_numpy("float64"))
    return pd.concat([cases, persons], ignore_index=True), {"forbidden": int(forbidden.sum()), "nothing_shared": int(apart.sum())}


def _rows(entity: str, frame: pd.DataFrame, left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> pd.DataFrame:
    found = keys_of(pd.DataFrame({"a": left, "b": right}), frame).assign(weight=weight)
    found.insert(0, "entity", pd.Series(entity, index=found.index, dtype="str"))
    return found
