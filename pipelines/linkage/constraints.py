"""Decisions of stewards as constraints of clustering.

Belongs here: converting current judgements to pairs of rows that must, or must not, be in one cluster, and the outcome of each
judgement. Does not belong here: which judgements are current (`harmonia.review.judgements.combine_judgements`), clustering (`cluster`).

A judgement `same` puts two records into one cluster, regardless of weights and hard rules. A judgement `different` keeps their clusters
apart. If judgements contradict each other, `different` takes precedence, and among `same` the earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

RECORD = ["institution", "record_key"]
COLUMNS = ("entity", "institution_a", "key_a", "institution_b", "key_b", "verdict")
BINDING = ("same", "different")


def _no_pairs() -> np.ndarray:
    return np.empty((0, 2), dtype="int64")


@dataclass(frozen=True)
class Constraints:
    """Pairs of rows (arrays of shape n × 2) that must be in one cluster (`same`), and pairs that must not (`apart`). They do not
    contradict each other."""

    same: np.ndarray = field(default_factory=_no_pairs)
    apart: np.ndarray = field(default_factory=_no_pairs)

    @property
    def every(self) -> pd.DataFrame:
        """Return all constrained pairs as `a, b`."""
        return pd.DataFrame(np.concatenate([self.same, self.apart]), columns=["a", "b"])


def find_constraints(judgements: pd.DataFrame | None, entity: str, records: pd.DataFrame) -> Constraints:
    """Convert the judgements on one entity (persons or cases) to constraints of its clusters.

    judgements: `COLUMNS`, only current ones, oldest first; verdicts that are not in `BINDING` are ignored. records: institution,
    record_key; the constraints refer to its rows, and judgements on other records are ignored.
    """
    if judgements is None or judgements.empty:
        return Constraints()
    own = judgements[(judgements["entity"] == entity) & judgements["verdict"].isin(BINDING)]
    own = own[~clashes(own)]
    rows = pd.Series(np.arange(len(records)), index=pd.MultiIndex.from_frame(records[RECORD].astype("str")))
    sides = [rows.reindex(pd.MultiIndex.from_frame(own[[f"institution_{s}", f"key_{s}"]].astype("str"))).to_numpy("float64") for s in "ab"]
    pairs = np.column_stack(sides)
    there = ~np.isnan(pairs).any(axis=1) & (pairs[:, 0] != pairs[:, 1])
    same = (own["verdict"] == "same").to_numpy()
    return Constraints(pairs[there & same].astype("int64"), pairs[there & ~same].astype("int64"))


def clashes(judgements: pd.DataFrame) -> np.ndarray:
    """Return the rows of `judgements` (`COLUMNS`) that do not hold because others contradict them. These are only judgements `same` on
    records that others keep apart."""
    lost = np.zeros(len(judgements), dtype=bool)
    named = pd.concat([judgements[["entity", f"institution_{s}", f"key_{s}"]].set_axis(["e", "i", "k"], axis=1) for s in "ab"])
    number, distinct = pd.factorize(pd.MultiIndex.from_frame(named.astype("str")))
    a, b = number[: len(judgements)], number[len(judgements) :]
    verdict = judgements["verdict"].to_numpy(dtype=object)
    group = list(range(len(distinct)))
    apart: list[set[int]] = [set() for _ in group]
    for n in np.flatnonzero(verdict == "different"):
        apart[a[n]].add(int(b[n]))
        apart[b[n]].add(int(a[n]))

    def root(n: int) -> int:
        while group[n] != n:
            group[n] = n = group[group[n]]
        return n

    for n in np.flatnonzero(verdict == "same"):
        one, other = root(int(a[n])), root(int(b[n]))
        if one == other:
            continue
        if other in {root(m) for m in apart[one]}:
            lost[n] = True
            continue
        group[other] = one
        apart[one] |= apart[other]
    return lost


def judgement_outcomes(judgements: pd.DataFrame | None, clusters: dict[str, pd.DataFrame], against: pd.DataFrame) -> pd.DataFrame:
    """Return `COLUMNS` and the `outcome` of each current judgement.

    - `holds`
    - `against_rule`: it holds, against a hard rule
    - `contradicted`: it does not hold, because of other judgements
    - `record_gone`: one of the records no longer exists

    clusters: by entity institution, record_key, cluster; against: pairs of persons that were joined against a rule.
    """
    if judgements is None:
        return pd.DataFrame(columns=[*COLUMNS, "outcome"], dtype="str")
    own = judgements[judgements["verdict"].isin(BINDING)].reset_index(drop=True)
    outcome = pd.Series("contradicted", index=own.index, dtype="str")
    for entity, frame in clusters.items():
        number = pd.Series(frame["cluster"].to_numpy("float64"), index=pd.MultiIndex.from_frame(frame[RECORD].astype("str")))
        mine = own["entity"] == entity
        a, b = (
            number.reindex(pd.MultiIndex.from_frame(own.loc[mine, [f"institution_{s}", f"key_{s}"]].astype("str"))).to_numpy() for s in "ab"
        )
        found = np.where((a == b) == (own.loc[mine, "verdict"] == "same").to_numpy(), "holds", "contradicted")
        outcome[mine] = np.where(np.isnan(a) | np.isnan(b), "record_gone", found)
    pairs = [own[list(COLUMNS[1:5])], against[[*COLUMNS[3:5], *COLUMNS[1:3]]].set_axis(list(COLUMNS[1:5]), axis=1), against]
    own_keys, turned, straight = (pd.MultiIndex.from_frame(part[list(COLUMNS[1:5])].astype("str")) for part in pairs)
    ruled_out = (own["entity"] == "person") & (own_keys.isin(turned) | own_keys.isin(straight)) & (outcome == "holds")
    return own[list(COLUMNS)].assign(outcome=outcome.mask(ruled_out & (own["verdict"] == "same"), "against_rule"))


def outcome_counts(judged: pd.DataFrame) -> dict[str, int | float | str]:
    """Count the judgements by outcome (`judgement_outcomes`), for the statistics of a run."""
    found = judged["outcome"].value_counts()
    return {f"judgements_{name}": int(found.get(name, 0)) for name in ("holds", "against_rule", "contradicted", "record_gone")}
