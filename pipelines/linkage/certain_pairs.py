"""Pairs of files that are certainly of one case, or of two, before anything is weighed: shares of evidence are counted among them.

Belongs here: which pairs these are. Does not belong here: the shares (`evidence`), any decision (`cases`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.evidence import CertainPairs, institutions
from pipelines.linkage.standardise import Records
from sources import contract

# Bits by which persons must agree for a pair of files to be surely one case, beside a citation with a single bearer.
CERTAIN_PERSON = 10.0


def certain_pairs(records: Records, pairs: pd.DataFrame) -> CertainPairs:
    """Pairs surely of one case: a sole bearer is named and a person agrees clearly, and all pairs of a group that these make.

    Pairs surely of different cases: a person agrees clearly, and the two files are in different groups of that kind, of which each holds
    a file of its own where a case begins.
    """
    sure = pairs[pairs["single"] & (pairs["best"] >= CERTAIN_PERSON)]
    groups = cluster.components(len(records.files), sure["a"].to_numpy(), sure["b"].to_numpy())
    placed = np.bincount(groups, minlength=len(groups) + 1)[groups] > 1
    clear = pairs[pairs["best"] >= CERTAIN_PERSON][["a", "b", "left", "right"]]
    one = groups[clear["a"]] == groups[clear["b"]]
    # One offence day in both groups, or a party separated: one case, perhaps, with a file each of those who prosecute it.
    offence = records.files.groupby(groups)["offence"].min().reindex(range(len(groups))).to_numpy()
    first, second = groups[clear["a"]], groups[clear["b"]]
    between = np.minimum(first, second) * len(groups) + np.maximum(first, second)
    twice = (offence[first] == offence[second]) | np.isin(between, between[separated(records, clear)])
    # Groups that complete each other may be one case that no number ties; where both hold a file of those who take up cases, they are two.
    begun = _begun(records, groups)
    rival = (begun[first] & begun[second]) > 0
    return CertainPairs(clear[one], clear[~one & ~twice & rival & placed[clear["a"]] & placed[clear["b"]]])


def _begun(records: Records, groups: np.ndarray) -> np.ndarray:
    """The institutions that take up cases of which each group holds a file, as bits: two matters have two files there, while those who
    judge may divide one."""
    origins = contract.at("registration", "prosecution")
    code, names = institutions(records)
    bit = np.array([1 << origins.index(name) if name in origins else 0 for name in names], dtype="int64")
    bits = np.zeros(len(groups), dtype="int64")
    np.bitwise_or.at(bits, groups, bit[code])
    return bits


def separated(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Pairs of one institution where the person of one file was separated on the day on which the other was received."""
    institution, _ = institutions(records)
    received = records.files["received"].to_numpy()
    day = np.append(records.persons["separated"].to_numpy(), np.datetime64("NaT"))
    a, b, left, right = (pairs[name].to_numpy() for name in ("a", "b", "left", "right"))
    same_day = (day[left] == received[b]) | (day[right] == received[a])
    return np.asarray(same_day & (institution[a] == institution[b]), dtype=bool)
