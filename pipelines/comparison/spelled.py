"""Differences between two names of one person: which names differ, typing errors, doubled letters.

Belongs here: comparing names. Does not belong here: which records are compared, and what a difference means (`people`).

Names are passed as pairs of codes: equal ones are skipped, and each distinct pair is compared once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipelines.harmonise.text import folded_words

_TWICE = re.compile(r"([^lr])\1")
_LEAST = 4  # letters; shorter names that differ are different names
_ERRORS = 2  # letters changed by typing errors; with more it may be another name


def tokens(texts: Sequence[str], left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per pair of texts the number of common names, and the one name of each side that the other lacks, empty unless exactly one.

    left, right: codes of texts, -1 for none.
    """
    split = {code: texts[code].split() if code >= 0 else [] for code in _present(left, right)}
    sizes = pd.Series({code: len(set(one)) for code, one in split.items()}, dtype="int64")
    alike, mine, theirs = sizes.reindex(left).to_numpy(copy=True), *(np.full(len(left), "", dtype=object) for _ in range(2))
    for a, b, at in _different(left, right):
        one, other = split[a], split[b]
        alike[at] = len(set(one).intersection(other))
        lacks, lacked = [t for t in one if t not in other], [t for t in other if t not in one]
        if len(lacks) == len(lacked) == 1:
            mine[at], theirs[at] = lacks[0], lacked[0]
    return alike, mine, theirs


def once(text: str) -> tuple[str, str]:
    """The names of a text, folded and sorted; and the same without doubled letters, except ll and rr, which are Albanian letters."""
    tokens = sorted(folded_words(text))
    folded = " ".join(tokens)
    return folded, " ".join(sorted(_TWICE.sub(r"\1", token) for token in tokens)) if _TWICE.search(folded) else folded


def near(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Whether two names differ only by typing errors."""
    asked = np.flatnonzero((left != "") & (right != ""))
    mine, theirs = left[asked].tolist(), right[asked].tolist()
    errors = np.asarray(process.cpdist(mine, theirs, scorer=OSA.distance), dtype="int64")
    long = np.array([min(len(a), len(b)) >= _LEAST for a, b in zip(mine, theirs, strict=True)], dtype=bool)
    out = np.zeros(len(left), dtype=bool)
    out[asked] = long & (errors > 0) & (errors <= _ERRORS)
    return out


def _present(left: np.ndarray, right: np.ndarray) -> list[int]:
    return [int(code) for code in np.unique(np.concatenate([left, right]))]


def _different(left: np.ndarray, right: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """The distinct pairs of different codes, with their positions."""
    places = np.flatnonzero(left != right)
    many = int(max(left.max(initial=0), right.max(initial=0))) + 2
    both = (left[places].astype("int64") + 1) * many + right[places] + 1
    once, which = np.unique(both, return_inverse=True)
    ends = np.cumsum(np.bincount(which, minlength=len(once)))[:-1]
    groups = np.split(places[np.argsort(which, kind="stable")], ends) if len(once) else []
    return [(int(pair // many) - 1, int(pair % many) - 1, at) for pair, at in zip(once, groups, strict=True)]
