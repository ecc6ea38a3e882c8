"""Selects pairs of files that are certainly of one case, or certainly of two cases, before pairs are weighed. Shares of evidence are
estimated on these pairs.

Belongs here: this selection. Does not belong here: the shares (`evidence`), decisions (`cases`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage import cluster
from pipelines.linkage.evidence import CertainPairs, number_institutions
from pipelines.linkage.standardise import Records
from sources import contract

# Bits with which persons must agree for a pair of files to be certainly one case, in addition to a citation with a single bearer.
CERTAIN_PERSON = 10.0


def certain_pairs(records: Records, pairs: pd.DataFrame) -> CertainPairs:
    """Return pairs of files that are certainly of one case, and pairs that are certainly of different cases.

    Certainly of one case are pairs in which a number with a single bearer is cited and a person agrees clearly; these form groups, of
    which all pairs count.

    Certainly of different cases are pairs in which a person agrees clearly, but whose files are in different groups, each with its own
    file of the same institution that opens cases.
    """
    sure = pairs[pairs["single"] & (pairs["best"] >= CERTAIN_PERSON)]
    groups = cluster.connected_components(len(records.files), sure["a"].to_numpy(), sure["b"].to_numpy())
    placed = np.bincount(groups, minlength=len(groups) + 1)[groups] > 1
    clear = pairs[pairs["best"] >= CERTAIN_PERSON][["a", "b", "left", "right"]]
    one = groups[clear["a"]] == groups[clear["b"]]
    # The same offence day in both groups, or a separated party: perhaps one case with two files at the prosecution.
    offence = records.files.groupby(groups)["offence"].min().reindex(range(len(groups))).to_numpy()
    first, second = groups[clear["a"]], groups[clear["b"]]
    between = np.minimum(first, second) * len(groups) + np.maximum(first, second)
    twice = (offence[first] == offence[second]) | np.isin(between, between[separated_pairs(records, clear)])
    # Groups that complement each other may be one case without a citation; if both have a file of one opening institution, they are two.
    begun = _opening_institutions(records, groups)
    rival = (begun[first] & begun[second]) > 0
    return CertainPairs(clear[one], clear[~one & ~twice & rival & placed[clear["a"]] & placed[clear["b"]]])


def _opening_institutions(records: Records, groups: np.ndarray) -> np.ndarray:
    """Return, as bits, the institutions that open cases and have a file in each group. Such an institution keeps one file per case,
    while a court may divide a case."""
    origins = contract.institutions_at("registration", "prosecution")
    code, names = number_institutions(records)
    bit = np.array([1 << origins.index(name) if name in origins else 0 for name in names], dtype="int64")
    bits = np.zeros(len(groups), dtype="int64")
    np.bitwise_or.at(bits, groups, bit[code])
    return bits


def separated_pairs(records: Records, pairs: pd.DataFrame) -> np.ndarray:
    """Return which pairs of one institution were separated: the person of one file was separated on the day on which the other file was
    received."""
    institution, _ = number_institutions(records)
    received = records.files["received"].to_numpy()
    day = np.append(records.persons["separated"].to_numpy(), np.datetime64("NaT"))
    a, b, left, right = (pairs[name].to_numpy() for name in ("a", "b", "left", "right"))
    same_day = (day[left] == received[b]) | (day[right] == received[a])
    return np.asarray(same_day & (institution[a] == institution[b]), dtype=bool)
