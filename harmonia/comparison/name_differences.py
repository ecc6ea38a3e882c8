"""Compare two full names of one person: which of their words differ, and whether only by typing errors or doubled letters.

Does not belong here: which records are compared, and what a difference means (`people`).

Names are passed as pairs of codes, so that pairs of equal codes are skipped, and each distinct pair is compared only once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from rapidfuzz import process
from rapidfuzz.distance import OSA

from pipelines.harmonisation.letters import split_folded_words

_DOUBLED_LETTER = re.compile(r"([^lr])\1")
_MIN_LETTERS = 4  # letters; shorter names that differ are different names
_MAX_ERRORS = 2  # letters changed by typing errors; with more it may be another name


def compare_names(full_names: Sequence[str], left_codes: np.ndarray, right_codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare pairs of full names.

    left_codes, right_codes: for each pair, the positions in `full_names` of its two names; -1 for no name.
    Returns three arrays with one value per pair: the number of words that both names contain; the word that only the left name contains;
    the word that only the right name contains. The two words are empty unless each name has exactly one such word.
    """
    words = {code: full_names[code].split() if code >= 0 else [] for code in _list_distinct_name_codes(left_codes, right_codes)}
    sizes = pd.Series({code: len(set(names)) for code, names in words.items()}, dtype="int64")
    common, left_only, right_only = (
        sizes.reindex(left_codes).to_numpy(copy=True),
        *(np.full(len(left_codes), "", dtype=object) for _ in range(2)),
    )
    for a, b, positions in _find_distinct_pairs_of_name_codes(left_codes, right_codes):
        left_words, right_words = words[a], words[b]
        common[positions] = len(set(left_words).intersection(right_words))
        left_extra, right_extra = [w for w in left_words if w not in right_words], [w for w in right_words if w not in left_words]
        if len(left_extra) == len(right_extra) == 1:
            left_only[positions], right_only[positions] = left_extra[0], right_extra[0]
    return common, left_only, right_only


def fold_names(full_name: str) -> tuple[str, str]:
    """Return the words of a name, folded and sorted, and the same words without doubled letters.

    ll and rr are kept, since they are letters of the Albanian alphabet.
    """
    names = sorted(split_folded_words(full_name))
    folded = " ".join(names)
    return folded, " ".join(sorted(_DOUBLED_LETTER.sub(r"\1", name) for name in names)) if _DOUBLED_LETTER.search(folded) else folded


def differ_by_typing_errors(left_names: np.ndarray, right_names: np.ndarray) -> np.ndarray:
    """Return for each pair of names whether they differ only by typing errors."""
    rows = np.flatnonzero((left_names != "") & (right_names != ""))
    left_only, right_only = left_names[rows].tolist(), right_names[rows].tolist()
    errors = np.asarray(process.cpdist(left_only, right_only, scorer=OSA.distance), dtype="int64")
    long_enough = np.array([min(len(a), len(b)) >= _MIN_LETTERS for a, b in zip(left_only, right_only, strict=True)], dtype=bool)
    out = np.zeros(len(left_names), dtype=bool)
    out[rows] = long_enough & (errors > 0) & (errors <= _MAX_ERRORS)
    return out


def _list_distinct_name_codes(left_codes: np.ndarray, right_codes: np.ndarray) -> list[int]:
    return [int(code) for code in np.unique(np.concatenate([left_codes, right_codes]))]


def _find_distinct_pairs_of_name_codes(left_codes: np.ndarray, right_codes: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Return the distinct pairs of different codes; with each pair, the positions at which it occurs in `left_codes` and `right_codes`."""
    rows = np.flatnonzero(left_codes != right_codes)
    size = int(max(left_codes.max(initial=0), right_codes.max(initial=0))) + 2
    pair_codes = (left_codes[rows].astype("int64") + 1) * size + right_codes[rows] + 1
    distinct, group = np.unique(pair_codes, return_inverse=True)
    ends = np.cumsum(np.bincount(group, minlength=len(distinct)))[:-1]
    groups = np.split(rows[np.argsort(group, kind="stable")], ends) if len(distinct) else []
    return [(int(pair // size) - 1, int(pair % size) - 1, positions) for pair, positions in zip(distinct, groups, strict=True)]
