"""Comparison of pairs of person records: for each field the level that it reaches.

Belongs here: the tests that model files may name, vectorised over pairs. Does not belong here: weights (`score`), which pairs
are compared (`blocking`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from pipelines.linkage.model import Field

MISSING = -1
WORKERS = 2  # threads of a scoring; the result does not depend on them
Values = list[np.ndarray]
Mask = np.ndarray


def column_values(records: pd.DataFrame, columns: tuple[str, ...], rows: np.ndarray) -> Values:
    """The values of `columns` at `rows` as arrays that tests understand: text (empty where missing), days as text `yyyymmdd`, numbers."""
    found = []
    for name in columns:
        column = records[name]
        if pd.api.types.is_datetime64_any_dtype(column):
            values = column.dt.strftime("%Y%m%d").fillna("").to_numpy(dtype=object)
        elif pd.api.types.is_bool_dtype(column):
            values = column.to_numpy(dtype=bool)
        elif pd.api.types.is_numeric_dtype(column):
            values = column.to_numpy(dtype="float64", na_value=np.nan)
        else:
            values = column.fillna("").to_numpy(dtype=object)
        found.append(values[rows])
    return found


def compare(field: Field, left: Values, right: Values) -> np.ndarray:
    """Number of the level of `field` that each pair reaches, `MISSING` where either side has nothing; first test that holds wins."""
    level = np.full(len(left[0]), len(field.levels) - 1, dtype="int16")
    open_pairs = np.ones(len(level), dtype=bool)
    known: dict[str, np.ndarray] = {}
    for number, spec in enumerate(field.levels[:-1]):
        rows = np.flatnonzero(open_pairs)
        a, b = [v[rows] for v in left], [v[rows] for v in right]
        if spec.test in SCORED:  # levels that differ in their bound alone share one scoring
            if spec.test not in known:
                known[spec.test] = np.empty(len(level))
                known[spec.test][rows] = SCORED[spec.test](a[0], b[0], [s.args for s in field.levels if s.test == spec.test])
            mask = TESTS[spec.test](a, b, **spec.args, scores=known[spec.test][rows])
        else:
            mask = TESTS[spec.test](a, b, **spec.args)
        reached = rows[mask]
        level[reached] = number
        open_pairs[reached] = False
    level[_absent(left) | _absent(right)] = MISSING
    return level


def _absent(values: Values) -> Mask:
    """Where no column of a field has a value; a true-or-false column only qualifies another."""
    empty = np.ones(len(values[0]), dtype=bool)
    for column in values:
        if column.dtype.kind == "b":
            continue
        empty &= np.isnan(column) if column.dtype.kind == "f" else column == ""
    return empty


def _similar(left: np.ndarray, right: np.ndarray, least: float) -> np.ndarray:
    """Jaro–Winkler similarity of pairs of texts, 0 where it is well below `least`."""
    # At its cutoff itself rapidfuzz rounds to either side.
    cutoff = max(least - 1e-6, 0.0)
    return np.asarray(cpdist(left, right, scorer=JaroWinkler.similarity, score_cutoff=cutoff, dtype=np.float64, workers=WORKERS))


def _distances(left: np.ndarray, right: np.ndarray, most: float) -> np.ndarray:
    """Edits between pairs of texts (a swap of neighbours is one), more than `most` where there are more than `most`."""
    return np.asarray(cpdist(left, right, scorer=OSA.distance, score_cutoff=int(most), dtype=np.float64, workers=WORKERS))


def _lengths(values: np.ndarray) -> np.ndarray:
    return pc.utf8_length(pa.array(values, type=pa.string())).to_numpy(zero_copy_only=False).astype("int64")


def _digits(days: np.ndarray) -> np.ndarray:
    """Days `yyyymmdd` as rows of eight characters; a missing day as eight empty ones."""
    return days.astype("U8").view("U1").reshape(len(days), 8)


def _days_agree(left: np.ndarray, right: np.ndarray, places: tuple[int, ...], against: tuple[int, ...]) -> Mask:
    """Both days are known, and the digits at `places` of one equal those at `against` of the other."""
    known = (left != "") & (right != "")
    a, b = _digits(left), _digits(right)
    return np.asarray(known & (a[:, places] == b[:, against]).all(axis=1), dtype=bool)


def equal(left: Values, right: Values) -> Mask:
    """The first column is equal and not empty."""
    same = left[0] == right[0]
    return np.asarray(same & (left[0] != ""), dtype=bool)


def equal_and(left: Values, right: Values) -> Mask:
    """The first column is equal, and the second is true on both sides."""
    return equal(left, right) & left[1] & right[1]


def different_and(left: Values, right: Values) -> Mask:
    """The first column differs, and the second is true on both sides."""
    return ~equal(left, right) & left[1] & right[1]


def edits(left: Values, right: Values, most: float, length: float = 4, scores: np.ndarray | None = None) -> Mask:
    """At most `most` edits (a swap of neighbours is one) between texts of which the longer has at least `length` letters."""
    found = (_distances(left[0], right[0], most) if scores is None else scores) <= most
    found &= (left[0] != "") & (right[0] != "")
    if length > 1:
        rows = np.flatnonzero(found)
        found[rows] = np.maximum(_lengths(left[0][rows]), _lengths(right[0][rows])) >= length
    return found


def jaro_winkler(left: Values, right: Values, least: float, scores: np.ndarray | None = None) -> Mask:
    """Jaro–Winkler similarity of at least `least`."""
    found = (_similar(left[0], right[0], least) if scores is None else scores) >= least
    return found & (left[0] != "") & (right[0] != "")


def _several(texts: np.ndarray) -> Mask:
    """Texts of several tokens."""
    return np.asarray(pc.match_substring(pa.array(texts, type=pa.string()), " ").to_numpy(zero_copy_only=False), dtype=bool)


def shared_token(left: Values, right: Values) -> Mask:
    """A whole token of more than one letter is common to both (double surnames)."""
    reached = np.zeros(len(left[0]), dtype=bool)
    rows = np.flatnonzero(_several(left[0]) | _several(right[0]))
    tokens = {text: {t for t in text.split() if len(t) > 1} for text in {*left[0][rows], *right[0][rows]}}
    reached[rows] = [bool(tokens[a] & tokens[b]) for a, b in zip(left[0][rows], right[0][rows], strict=True)]
    return reached


def near_token(left: Values, right: Values, least: float) -> Mask:
    """Some token of one is similar to some token of the other (Jaro–Winkler of at least `least`), where either has several."""
    reached = jaro_winkler([left[0]], [right[0]], least)  # of two that have one token each, all there is to say
    rows = np.flatnonzero(_several(left[0]) | _several(right[0]))
    a, b = left[0][rows], right[0][rows]
    reached[rows] = False
    for i, k in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        reached[rows] |= jaro_winkler([_end(a, i)], [_end(b, k)], least)
    return reached


def _end(texts: np.ndarray, which: int) -> np.ndarray:
    ends = {text: (text.split() or [""])[which] for text in set(texts)}
    return np.array([ends[text] for text in texts], dtype=object)


def initial(left: Values, right: Values) -> Mask:
    """One side is a single letter, and the other begins with it."""
    a, b = left[0], right[0]
    reached = np.zeros(len(a), dtype=bool)
    rows = np.flatnonzero((_lengths(a) == 1) | (_lengths(b) == 1))
    reached[rows] = [x[:1] == y[:1] for x, y in zip(a[rows], b[rows], strict=True)]
    return reached


def stem(left: Values, right: Values, letters: float) -> Mask:
    """The first `letters` letters are common, or one name without its last vowel stands in the other (short forms: `Miri`, `Fatmir`)."""
    n, size = int(letters), len(left[0])
    code, texts = pd.factorize(np.concatenate([left[0], right[0]]))
    a, b = code[:size], code[size:]
    cores = [text.rstrip("aeiou") for text in texts]
    start = pd.factorize(np.array([text[:n] for text in texts], dtype=object))[0]
    length, core = (np.array([len(text) for text in found], dtype="int64") for found in (texts, cores))
    reached = (length[a] >= n) & (length[b] >= n) & (start[a] == start[b])
    # A name whose letters are not all in the other does not stand in it: that leaves few to look at one by one.
    inside, whole = (np.array([_letters(text) for text in found], dtype="int64") for found in (cores, texts))
    for short, full in ((a, b), (b, a)):
        likely = (core[short] >= n) & (length[short] <= length[full]) & (inside[short] & ~whole[full] == 0) & ~reached
        rows = np.flatnonzero(likely)
        reached[rows] = [cores[x] in texts[y] for x, y in zip(short[rows], full[rows], strict=True)]
    return np.asarray(reached)


def _letters(text: str) -> int:
    """The letters of a text as bits; those beyond a to z share some."""
    bits = 0
    for letter in set(text):
        bits |= 1 << (ord(letter) % 61)
    return bits


def day_month_swapped(left: Values, right: Values) -> Mask:
    """Days `yyyymmdd` of one year with day and month exchanged."""
    return _days_agree(left[0], right[0], (0, 1, 2, 3, 4, 5, 6, 7), (0, 1, 2, 3, 6, 7, 4, 5))


def other_century(left: Values, right: Values) -> Mask:
    """Days `yyyymmdd` that differ in the century alone."""
    return _days_agree(left[0], right[0], (2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 7))


def other_year(left: Values, right: Values) -> Mask:
    """Days `yyyymmdd` that differ in the year alone."""
    return _days_agree(left[0], right[0], (4, 5, 6, 7), (4, 5, 6, 7))


def same_number(left: Values, right: Values, column: float) -> Mask:
    """The numbers in `column` are equal and the text before it is missing on at least one side (only the year is known)."""
    n = int(column)
    return (left[n] == right[n]) & ((left[0] == "") | (right[0] == ""))


def numbers_within(left: Values, right: Values, column: float, most: float) -> Mask:
    """The numbers in `column` lie at most `most` apart."""
    with np.errstate(invalid="ignore"):
        return np.abs(left[int(column)] - right[int(column)]) <= most


# Tests that compare a score with a bound, so that levels of one field can share the scoring.
SCORED: dict[str, Callable[[np.ndarray, np.ndarray, list[dict[str, float]]], np.ndarray]] = {
    "edits": lambda a, b, bounds: _distances(a, b, max(bound["most"] for bound in bounds)),
    "jaro_winkler": lambda a, b, bounds: _similar(a, b, min(bound["least"] for bound in bounds)),
}
TESTS: dict[str, Callable[..., Mask]] = {
    "equal": equal,
    "equal_and": equal_and,
    "different_and": different_and,
    "edits": edits,
    "jaro_winkler": jaro_winkler,
    "shared_token": shared_token,
    "near_token": near_token,
    "initial": initial,
    "stem": stem,
    "day_month_swapped": day_month_swapped,
    "other_century": other_century,
    "other_year": other_year,
    "same_number": same_number,
    "numbers_within": numbers_within,
}
