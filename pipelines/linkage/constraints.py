"""Judgements of stewards as constraints of clustering.

Belongs here: converting the current judgements to pairs of records that must be in one cluster and pairs that must not, and finding out
whether each judgement took effect. Does not belong here: which judgements are current (`harmonia.review.judgements.combine_judgements`),
clustering (`cluster`).

A judgement `same` puts two records into one cluster, whatever the weights and hard rules. A judgement `different` keeps their clusters
apart. If judgements contradict each other, a judgement `different` takes precedence over a judgement `same`, and an earlier judgement
`same` takes precedence over a later one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

RECORD_KEY = ["institution", "record_key"]
JUDGEMENT_COLUMNS = ("entity", "institution_a", "key_a", "institution_b", "key_b", "verdict")
BINDING_VERDICTS = ("same", "different")


def _make_empty_pairs() -> np.ndarray:
    return np.empty((0, 2), dtype="int64")


@dataclass(frozen=True)
class ClusterConstraints:
    """Pairs of rows that must be in one cluster (`same`), and pairs of rows that must not (`apart`), as arrays of shape n × 2.

    The constraints do not contradict each other.
    """

    same: np.ndarray = field(default_factory=_make_empty_pairs)
    apart: np.ndarray = field(default_factory=_make_empty_pairs)

    @property
    def constrained_pairs(self) -> pd.DataFrame:
        """All pairs in `same` and `apart`, with the columns `a` and `b`."""
        return pd.DataFrame(np.concatenate([self.same, self.apart]), columns=["a", "b"])


def find_cluster_constraints(judgements: pd.DataFrame | None, entity: str, records: pd.DataFrame) -> ClusterConstraints:
    """Convert the judgements on one entity (persons or cases) to constraints of its clusters.

    judgements: the current judgements with the columns `JUDGEMENT_COLUMNS`, oldest first; those whose verdict is not in `BINDING_VERDICTS`
    are ignored. records: all records of the entity, with the columns institution and record_key. The constraints contain row numbers of
    this frame, and judgements on records that are not in it are ignored.
    """
    if judgements is None or judgements.empty:
        return ClusterConstraints()
    binding = judgements[(judgements["entity"] == entity) & judgements["verdict"].isin(BINDING_VERDICTS)]
    binding = binding[~are_judgements_contradicted(binding)]
    rows = pd.Series(np.arange(len(records)), index=pd.MultiIndex.from_frame(records[RECORD_KEY].astype("str")))
    sides = [
        rows.reindex(pd.MultiIndex.from_frame(binding[[f"institution_{s}", f"key_{s}"]].astype("str"))).to_numpy("float64") for s in "ab"
    ]
    pairs = np.column_stack(sides)
    exists = ~np.isnan(pairs).any(axis=1) & (pairs[:, 0] != pairs[:, 1])
    same = (binding["verdict"] == "same").to_numpy()
    return ClusterConstraints(pairs[exists & same].astype("int64"), pairs[exists & ~same].astype("int64"))


def are_judgements_contradicted(judgements: pd.DataFrame) -> np.ndarray:
    """Return for each of `judgements` (with the columns `JUDGEMENT_COLUMNS`) whether it has no effect because other judgements contradict
    it.

    Only a judgement `same` can be contradicted: if other judgements keep its two records apart.
    """
    lost = np.zeros(len(judgements), dtype=bool)
    records = pd.concat([judgements[["entity", f"institution_{s}", f"key_{s}"]].set_axis(["e", "i", "k"], axis=1) for s in "ab"])
    number, distinct = pd.factorize(pd.MultiIndex.from_frame(records.astype("str")))
    a, b = number[: len(judgements)], number[len(judgements) :]
    verdict = judgements["verdict"].to_numpy(dtype=object)
    group = list(range(len(distinct)))
    apart: list[set[int]] = [set() for _ in group]
    for n in np.flatnonzero(verdict == "different"):
        apart[a[n]].add(int(b[n]))
        apart[b[n]].add(int(a[n]))

    def find_group_root(n: int) -> int:
        while group[n] != n:
            group[n] = n = group[group[n]]
        return n

    for n in np.flatnonzero(verdict == "same"):
        one, other = find_group_root(int(a[n])), find_group_root(int(b[n]))
        if one == other:
            continue
        if other in {find_group_root(m) for m in apart[one]}:
            lost[n] = True
            continue
        group[other] = one
        apart[one] |= apart[other]
    return lost


def find_judgement_outcomes(
    judgements: pd.DataFrame | None, clusters: dict[str, pd.DataFrame], pairs_against_rules: pd.DataFrame
) -> pd.DataFrame:
    """Return the current judgements with the verdicts `same` or `different`, with the columns `JUDGEMENT_COLUMNS` and `outcome`.

    The outcome is one of:

    - `holds`: the clusters agree with the judgement
    - `against_rule`: the clusters agree with the judgement, although a hard rule forbids to join the two records
    - `contradicted`: the clusters do not agree with the judgement, because other judgements contradict it
    - `record_gone`: one of the two records no longer exists

    clusters: for each entity, a frame with the columns institution, record_key and cluster. pairs_against_rules: the pairs of persons that
    were joined although a hard rule forbids it.
    """
    if judgements is None:
        return pd.DataFrame(columns=[*JUDGEMENT_COLUMNS, "outcome"], dtype="str")
    binding = judgements[judgements["verdict"].isin(BINDING_VERDICTS)].reset_index(drop=True)
    outcome = pd.Series("contradicted", index=binding.index, dtype="str")
    for entity, frame in clusters.items():
        number = pd.Series(frame["cluster"].to_numpy("float64"), index=pd.MultiIndex.from_frame(frame[RECORD_KEY].astype("str")))
        of_entity = binding["entity"] == entity
        a, b = (
            number.reindex(pd.MultiIndex.from_frame(binding.loc[of_entity, [f"institution_{s}", f"key_{s}"]].astype("str"))).to_numpy()
            for s in "ab"
        )
        outcome_if_known = np.where((a == b) == (binding.loc[of_entity, "verdict"] == "same").to_numpy(), "holds", "contradicted")
        outcome[of_entity] = np.where(np.isnan(a) | np.isnan(b), "record_gone", outcome_if_known)
    pairs = [
        binding[list(JUDGEMENT_COLUMNS[1:5])],
        pairs_against_rules[[*JUDGEMENT_COLUMNS[3:5], *JUDGEMENT_COLUMNS[1:3]]].set_axis(list(JUDGEMENT_COLUMNS[1:5]), axis=1),
        pairs_against_rules,
    ]
    own_keys, turned, straight = (pd.MultiIndex.from_frame(part[list(JUDGEMENT_COLUMNS[1:5])].astype("str")) for part in pairs)
    ruled_out = (binding["entity"] == "person") & (own_keys.isin(turned) | own_keys.isin(straight)) & (outcome == "holds")
    return binding[list(JUDGEMENT_COLUMNS)].assign(outcome=outcome.mask(ruled_out & (binding["verdict"] == "same"), "against_rule"))


def count_judgement_outcomes(judgement_outcomes: pd.DataFrame) -> dict[str, int | float | str]:
    """Count the judgements with each outcome, for the statistics of a run. judgement_outcomes: the result of `find_judgement_outcomes`."""
    counts = judgement_outcomes["outcome"].value_counts()
    return {f"judgements_{name}": int(counts.get(name, 0)) for name in ("holds", "against_rule", "contradicted", "record_gone")}
