"""Comparison of pairs of person records: the level that each field of a pair reaches.

Belongs here: the tests that a model file may name for a level, each computed for many pairs at once. Does not belong here: weights
(`score`), which pairs are compared (`blocking`).

Properties of a single value (its letters, its tokens) are computed once for each value, however many pairs contain it. Two texts whose
letters differ so much that a test cannot hold are not compared letter by letter.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from pipelines.linkage.model import ComparedField

MISSING_LEVEL = -1
THREADS = 2  # number of threads that compute similarities of texts; the result does not depend on it
# The Jaro–Winkler similarity exceeds the Jaro similarity by at most this share of the difference between the Jaro similarity and 1. The
# share is a tenth for each of the first four letters that agree.
PREFIX_WEIGHT = 0.4
# Number of texts split into letters at a time.
BATCH_SIZE = 1 << 16
# Threads are not worth starting for fewer pairs of texts.
PAIRS_FOR_THREADS = 20_000
Values = list[np.ndarray]
Mask = np.ndarray


def read_column_values(records: pd.DataFrame, columns: tuple[str, ...], rows: np.ndarray) -> Values:
    """Return the values of `columns` at `rows` as one array for each column, in the form that the tests expect.

    Days become texts `yyyymmdd`. A missing text or day is an empty text, and a missing number is NaN.
    """
    arrays = []
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
        arrays.append(values[rows])
    return arrays


class FieldValues:
    """The values of a compared field (one array for each column of the field), and a cache of properties of single values."""

    def __init__(self, columns: Values) -> None:
        self.columns = columns
        self._derived: dict[Hashable, np.ndarray] = {}

    def derive_property(self, compute: Callable[..., np.ndarray], *args: Hashable) -> np.ndarray:
        """Apply `compute` to the values of the first column, and return the result, which is cached."""
        if (compute, args) not in self._derived:
            self._derived[compute, args] = compute(self.columns[0], *args)
        return self._derived[compute, args]


class ValuePairs:
    """Pairs of values of a compared field. a, b: for each pair, the positions of the two values in `field_values`."""

    def __init__(self, field_values: FieldValues, a: np.ndarray, b: np.ndarray) -> None:
        self.field_values, self.a, self.b = field_values, a, b

    def __len__(self) -> int:
        return len(self.a)

    def select_pairs(self, rows: np.ndarray) -> ValuePairs:
        """Return the pairs at `rows`."""
        return ValuePairs(self.field_values, self.a[rows], self.b[rows])

    def take_values_of_both_sides(self, column_number: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return the two values of each pair, from the column number `column_number` of the field."""
        values = self.field_values.columns[column_number]
        return values[self.a], values[self.b]

    def derive_property(self, compute: Callable[..., np.ndarray], *args: Hashable) -> tuple[np.ndarray, np.ndarray]:
        """Return a property of the two texts of each pair. `compute` computes the property, once for each text."""
        derived = self.field_values.derive_property(compute, *args)
        return derived[self.a], derived[self.b]

    def count_min_differing_letters(self) -> np.ndarray:
        """Return, for each pair of texts, a number that is at most the number of letters that only one of the texts has."""
        one, other = self.derive_property(_encode_letters_as_bits)
        return np.bitwise_count(one ^ other)

    def have_text_on_both_sides(self) -> Mask:
        """Return whether both sides of each pair have a text."""
        one, other = self.derive_property(_count_letters)
        return np.asarray((one > 0) & (other > 0), dtype=bool)


def compare_field_values(field: ComparedField, left_values: Values, right_values: Values) -> np.ndarray:
    """Return the number of the level of `field` that each pair reaches. A pair reaches the first level whose test it passes.

    The number is `MISSING_LEVEL` if either record has no value.
    """
    size = len(left_values[0])
    field_values = FieldValues([np.concatenate(both) for both in zip(left_values, right_values, strict=True)])
    absent = are_values_missing(field_values.columns)
    level = find_levels_of_value_pairs(field, ValuePairs(field_values, np.arange(size), np.arange(size, 2 * size)))
    level[absent[:size] | absent[size:]] = MISSING_LEVEL
    return level


def find_levels_of_value_pairs(field: ComparedField, value_pairs: ValuePairs) -> np.ndarray:
    """Return the number of the level of `field` that each pair reaches. Both records of each pair must have a value."""
    level = np.full(len(value_pairs), len(field.levels) - 1, dtype="int8")
    rows = np.arange(len(value_pairs))
    scores: dict[str, np.ndarray] = {}
    for number, spec in enumerate(field.levels[:-1]):
        if not len(rows):
            break
        args: dict[str, Any] = dict(spec.args)
        if spec.test in SCORERS:  # levels that differ only in their bound share one scoring
            if spec.test not in scores:
                scores[spec.test] = SCORERS[spec.test](value_pairs, [s.args for s in field.levels if s.test == spec.test])
            args["scores"] = scores[spec.test]
        mask = TESTS[spec.test](value_pairs, **args)
        if mask.any():
            level[rows[mask]] = number
            rows, value_pairs = rows[~mask], value_pairs.select_pairs(~mask)
            scores = {name: found[~mask] for name, found in scores.items()}
    return level


def are_values_missing(values: Values) -> Mask:
    """Return for each row whether it has no value in any column of a field.

    Boolean columns are ignored, since they only qualify another column.
    """
    empty = np.ones(len(values[0]), dtype=bool)
    for column in values:
        if column.dtype.kind == "b":
            continue
        empty &= np.isnan(column) if column.dtype.kind == "f" else column == ""
    return empty


def _count_letters(texts: np.ndarray) -> np.ndarray:
    """Return the number of letters of each text."""
    return pc.utf8_length(pa.array(texts, type=pa.string())).to_numpy(zero_copy_only=False).astype("int64")


def _encode_letters_as_bits(texts: np.ndarray) -> np.ndarray:
    """Return the letters of each text as binary digits of a number: each letter, and each repetition of it, sets one digit.

    Some letters share a digit.
    """
    return _apply_to_letters_in_batches(_encode_letters_and_repetitions, texts)


def _apply_to_letters_in_batches(compute: Callable[[np.ndarray], np.ndarray], texts: np.ndarray) -> np.ndarray:
    """Apply `compute` to the letters of `texts`, one batch of texts at a time.

    `compute` gets an array of character codes with one row for each text; short texts are padded with 0.
    """
    batches = [texts[begin : begin + BATCH_SIZE].astype("U") for begin in range(0, len(texts), BATCH_SIZE)]
    return np.concatenate([np.empty(0, dtype="uint64"), *(compute(part.view("uint32").reshape(len(part), -1)) for part in batches)])


def _encode_letters_and_repetitions(letters: np.ndarray) -> np.ndarray:
    """Return a number for each row of `letters`, in which each occurrence of a letter (its first, its second, …) sets one binary digit."""
    letters = np.sort(letters, axis=1)
    place = np.arange(letters.shape[1], dtype="uint32")
    begins = np.ones(letters.shape, dtype=bool)
    begins[:, 1:] = letters[:, 1:] != letters[:, :-1]
    turn = place - np.maximum.accumulate(np.where(begins, place, np.uint32(0)), axis=1)
    return _combine_bit_numbers(letters, (letters + np.uint32(10) * turn) % np.uint32(64))


def _combine_bit_numbers(letters: np.ndarray, bit_numbers: np.ndarray) -> np.ndarray:
    """Return a number for each row of letters, in which the binary digits at the positions `bit_numbers` are set. Padding is ignored."""
    bits = np.uint64(1) << bit_numbers.astype("uint64")
    return np.asarray(np.bitwise_or.reduce(np.where(letters > 0, bits, np.uint64(0)), axis=1))


def _extract_digits_of_days(days: np.ndarray, positions: tuple[int, ...]) -> np.ndarray:
    """Return a number that stands for the digits at `positions` of each day `yyyymmdd`. All missing days have the same number."""
    digits = days.astype("U8").view("uint32").reshape(len(days), 8)
    out = np.zeros(len(days), dtype="int64")
    for position in positions:
        out = out * 256 + digits[:, position] % 256
    return out


def _do_digits_of_days_agree(value_pairs: ValuePairs, left_positions: tuple[int, ...], right_positions: tuple[int, ...]) -> Mask:
    """Return for each pair of days whether both are known, and the digits of the left day at `left_positions` equal the digits of the right
    day at `right_positions`.
    """
    one, other = (
        value_pairs.field_values.derive_property(_extract_digits_of_days, left_positions)[value_pairs.a],
        value_pairs.field_values.derive_property(_extract_digits_of_days, right_positions)[value_pairs.b],
    )
    return np.asarray((one == other) & value_pairs.have_text_on_both_sides(), dtype=bool)


def _compute_text_similarities(value_pairs: ValuePairs, min_similarity: float) -> np.ndarray:
    """Return the Jaro–Winkler similarity of each pair of texts. It may be returned as 0 if it is below `min_similarity`."""
    one, other = (length.astype("float64") for length in value_pairs.derive_property(_count_letters))
    # The Jaro similarity is the mean of three shares: common letters in one text, in the other text, and common letters in the same order.
    # The third share is at most 1.
    common = (one + other - value_pairs.count_min_differing_letters()) / 2
    enough = common * (one + other) >= (3 * (min_similarity - PREFIX_WEIGHT) / (1 - PREFIX_WEIGHT) - 1 - 1e-4) * one * other
    rows = np.flatnonzero(enough & (common > 0))
    out = np.zeros(len(value_pairs))
    out[rows] = _compute_jaro_winkler(*value_pairs.select_pairs(rows).take_values_of_both_sides(), min_similarity)
    return out


def _compute_jaro_winkler(left: np.ndarray, right: np.ndarray, min_similarity: float) -> np.ndarray:
    # A similarity that equals the cutoff exactly may be rounded up or down by rapidfuzz.
    """Return the Jaro–Winkler similarity of each pair of texts; 0 if it is below `min_similarity`."""
    return _apply_rapidfuzz_scorer_to_pairs(JaroWinkler.similarity, left, right, max(min_similarity - 1e-6, 0.0))


def _apply_rapidfuzz_scorer_to_pairs(scorer: Callable[..., float], left: np.ndarray, right: np.ndarray, cutoff: float) -> np.ndarray:
    """Apply a comparison function of rapidfuzz to pairs of texts. Several threads are used if there are many pairs."""
    workers = THREADS if len(left) >= PAIRS_FOR_THREADS else 1
    return np.asarray(cpdist(left, right, scorer=scorer, score_cutoff=cutoff, dtype=np.float64, workers=workers))


def _compute_edit_distances(value_pairs: ValuePairs, max_edits: float) -> np.ndarray:
    """Return the number of edits that turn one text of each pair into the other. If it is above `max_edits`, any larger number is returned.

    Swapping two neighbouring letters is one edit.
    """
    out = np.full(len(value_pairs), max_edits + 1, dtype="float64")
    rows = np.flatnonzero(value_pairs.count_min_differing_letters() <= 2 * max_edits)  # an edit replaces at most one letter
    out[rows] = _apply_rapidfuzz_scorer_to_pairs(OSA.distance, *value_pairs.select_pairs(rows).take_values_of_both_sides(), int(max_edits))
    return out


def are_equal(value_pairs: ValuePairs) -> Mask:
    """Return for each pair whether its values in the first column are equal and not empty."""
    out = np.zeros(len(value_pairs), dtype=bool)
    if value_pairs.field_values.columns[0].dtype.kind != "O":
        left, right = value_pairs.take_values_of_both_sides()
        return np.asarray(left == right, dtype=bool)
    rows = np.flatnonzero(value_pairs.count_min_differing_letters() == 0)
    left, right = value_pairs.select_pairs(rows).take_values_of_both_sides()
    out[rows] = (left == right) & (left != "")
    return out


def are_equal_and_true(value_pairs: ValuePairs) -> Mask:
    """Return for each pair whether its two values in the first column are equal, and its two values in the second column are true."""
    left, right = value_pairs.take_values_of_both_sides(1)
    return np.asarray(are_equal(value_pairs) & left & right, dtype=bool)


def are_different_and_true(value_pairs: ValuePairs) -> Mask:
    """Return for each pair whether its two values in the first column differ, and its two values in the second column are true."""
    left, right = value_pairs.take_values_of_both_sides(1)
    return np.asarray(~are_equal(value_pairs) & left & right, dtype=bool)


def are_within_edits(value_pairs: ValuePairs, most: float, length: float = 4, scores: np.ndarray | None = None) -> Mask:
    """Return for each pair of texts whether at most `most` edits turn one into the other, and the longer text has at least `length`
    letters.

    Swapping two neighbouring letters is one edit.
    """
    within = (_compute_edit_distances(value_pairs, most) if scores is None else scores) <= most
    one, other = value_pairs.derive_property(_count_letters)
    return np.asarray(within & (one > 0) & (other > 0) & (np.maximum(one, other) >= length), dtype=bool)


def are_similar(value_pairs: ValuePairs, least: float, scores: np.ndarray | None = None) -> Mask:
    """Return for each pair of texts whether their Jaro–Winkler similarity is at least `least`."""
    return np.asarray(
        ((_compute_text_similarities(value_pairs, least) if scores is None else scores) >= least) & value_pairs.have_text_on_both_sides(),
        dtype=bool,
    )


def _have_texts_several_tokens(texts: np.ndarray) -> Mask:
    """Return for each text whether it has several tokens (words separated by spaces)."""
    return np.asarray(pc.match_substring(pa.array(texts, type=pa.string()), " ").to_numpy(zero_copy_only=False), dtype=bool)


def _find_pairs_with_several_tokens(value_pairs: ValuePairs) -> np.ndarray:
    """Return the numbers of the pairs in which at least one text has several tokens."""
    one, other = value_pairs.derive_property(_have_texts_several_tokens)
    return np.flatnonzero(one | other)


def _collect_token_sets(texts: np.ndarray) -> np.ndarray:
    """Return, for each text, the set of its tokens of more than one letter."""
    return np.array([{token for token in text.split() if len(token) > 1} for text in texts] + [None], dtype=object)[:-1]


def share_token(value_pairs: ValuePairs) -> Mask:
    """Return for each pair of texts whether they have a token of more than one letter in common, as a double surname and one of its
    parts.
    """
    out = np.zeros(len(value_pairs), dtype=bool)
    rows = _find_pairs_with_several_tokens(value_pairs)
    one, other = value_pairs.select_pairs(rows).derive_property(_collect_token_sets)
    out[rows] = [not a.isdisjoint(b) for a, b in zip(one, other, strict=True)]
    return out


def _extract_first_tokens(texts: np.ndarray) -> np.ndarray:
    return np.array([(text.split() or [""])[0] for text in texts], dtype=object)


def _extract_last_tokens(texts: np.ndarray) -> np.ndarray:
    return np.array([(text.split() or [""])[-1] for text in texts], dtype=object)


def have_similar_token(value_pairs: ValuePairs, least: float) -> Mask:
    """Return for each pair of texts whether the texts, or their first or last tokens, have a Jaro–Winkler similarity of at least
    `least`.
    """
    out = are_similar(value_pairs, least)  # enough for two texts with one token each
    rows = _find_pairs_with_several_tokens(value_pairs)
    similar = np.zeros(len(rows), dtype=bool)
    pairs = value_pairs.select_pairs(rows)
    ends = [pairs.derive_property(end) for end in (_extract_first_tokens, _extract_last_tokens)]
    for left, _ in ends:
        for _, right in ends:
            similar |= (_compute_jaro_winkler(left, right, least) >= least) & (left != "") & (right != "")
    out[rows] = similar
    return out


def _encode_first_letters(texts: np.ndarray) -> np.ndarray:
    """Return a number for the first letter of each text."""
    return np.asarray(pd.factorize(np.array([text[:1] for text in texts], dtype=object))[0])


def agree_by_initial(value_pairs: ValuePairs) -> Mask:
    """Return for each pair whether one text is a single letter with which the other text begins."""
    (one, other), (first, second) = value_pairs.derive_property(_count_letters), value_pairs.derive_property(_encode_first_letters)
    return np.asarray(((one == 1) | (other == 1)) & (first == second), dtype=bool)


def _encode_leading_letters(texts: np.ndarray, letters: int) -> np.ndarray:
    """Return a number for the first `letters` letters of each text."""
    return np.asarray(pd.factorize(np.array([text[:letters] for text in texts], dtype=object))[0])


def _remove_last_vowels(texts: np.ndarray) -> np.ndarray:
    """Return the texts without the vowels at their end."""
    return np.array([text.rstrip("aeiou") for text in texts], dtype=object)


def _count_letters_without_last_vowels(texts: np.ndarray) -> np.ndarray:
    return _count_letters(_remove_last_vowels(texts))


def _encode_letter_sets(texts: np.ndarray) -> np.ndarray:
    """Return the set of letters of each text as binary digits of a number. Letters other than a to z may share a digit."""
    return _apply_to_letters_in_batches(lambda letters: _combine_bit_numbers(letters, letters % np.uint32(61)), texts)


def _encode_letter_sets_without_last_vowels(texts: np.ndarray) -> np.ndarray:
    return _encode_letter_sets(_remove_last_vowels(texts))


def share_stem(value_pairs: ValuePairs, letters: float) -> Mask:
    """Return for each pair of names whether they begin with the same `letters` letters, or one name without the vowels at its end is part
    of the other name.

    The second case finds short forms, such as `Miri` for `Fatmir`.
    """
    n, field_values, (one, other), (begin, start) = (
        int(letters),
        value_pairs.field_values,
        value_pairs.derive_property(_count_letters),
        value_pairs.derive_property(_encode_leading_letters, int(letters)),
    )
    out = (one >= n) & (other >= n) & (begin == start)
    cores, texts = field_values.derive_property(_remove_last_vowels), field_values.columns[0]
    size, letters_of_core, letters_of_text = (
        field_values.derive_property(_count_letters_without_last_vowels),
        field_values.derive_property(_encode_letter_sets_without_last_vowels),
        field_values.derive_property(_encode_letter_sets),
    )
    # A name cannot be part of another name that lacks one of its letters. So only few pairs must be compared one by one.
    for short, full, shorter, longer in ((value_pairs.a, value_pairs.b, one, other), (value_pairs.b, value_pairs.a, other, one)):
        likely = (size[short] >= n) & (shorter <= longer) & (letters_of_core[short] & ~letters_of_text[full] == 0) & ~out
        rows = np.flatnonzero(likely)
        out[rows] = [core in text for core, text in zip(cores[short[rows]], texts[full[rows]], strict=True)]
    return np.asarray(out, dtype=bool)


def have_day_and_month_swapped(value_pairs: ValuePairs) -> Mask:
    """Return for each pair of days `yyyymmdd` whether they are equal if day and month of one of them are exchanged."""
    return _do_digits_of_days_agree(value_pairs, (0, 1, 2, 3, 4, 5, 6, 7), (0, 1, 2, 3, 6, 7, 4, 5))


def differ_in_century(value_pairs: ValuePairs) -> Mask:
    """Return for each pair of days `yyyymmdd` whether they are equal apart from the century."""
    return _do_digits_of_days_agree(value_pairs, (2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 7))


def differ_in_year(value_pairs: ValuePairs) -> Mask:
    """Return for each pair of days `yyyymmdd` whether they are equal apart from the year."""
    return _do_digits_of_days_agree(value_pairs, (4, 5, 6, 7), (4, 5, 6, 7))


def have_same_number(value_pairs: ValuePairs, column: float) -> Mask:
    """Return for each pair whether the numbers in column number `column` are equal, and at least one record has no value in the first
    column.

    It is used for a birth date of which only the year is known.
    """
    left, right = value_pairs.take_values_of_both_sides(int(column))
    return np.asarray((left == right) & ~value_pairs.have_text_on_both_sides(), dtype=bool)


def have_numbers_within(value_pairs: ValuePairs, column: float, most: float) -> Mask:
    """Return for each pair whether the numbers in column number `column` differ by at most `most`."""
    left, right = value_pairs.take_values_of_both_sides(int(column))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(left - right) <= most, dtype=bool)


# Functions that compute the score of each pair for tests that compare a score with a bound. Levels of a field that differ only in the bound
# share one computation.
SCORERS: dict[str, Callable[[ValuePairs, list[dict[str, float]]], np.ndarray]] = {
    "edits": lambda sides, bounds: _compute_edit_distances(sides, max(bound["most"] for bound in bounds)),
    "jaro_winkler": lambda sides, bounds: _compute_text_similarities(sides, min(bound["least"] for bound in bounds)),
}
TESTS: dict[str, Callable[..., Mask]] = {
    "equal": are_equal,
    "equal_and": are_equal_and_true,
    "different_and": are_different_and_true,
    "edits": are_within_edits,
    "jaro_winkler": are_similar,
    "shared_token": share_token,
    "near_token": have_similar_token,
    "initial": agree_by_initial,
    "stem": share_stem,
    "day_month_swapped": have_day_and_month_swapped,
    "other_century": differ_in_century,
    "other_year": differ_in_year,
    "same_number": have_same_number,
    "numbers_within": have_numbers_within,
}
