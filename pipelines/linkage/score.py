"""Match weights of pairs of records in bits, computed by the method of Fellegi and Sunter.

Belongs here: weights of comparison levels, the frequency of names, agreement within families. Does not belong here: thresholds and clusters
(`persons`, `cluster`), the tests of the levels (`compare`).

Any records with declared fields (`HasComparedFields`) can be scored, so other data sets with other fields can be too. Some rules apply only
if the fields for them exist: swapped names, fields in which families agree, frequencies of names within one citizenship.

The weight of a pair is log2 of a ratio: how probable its comparison levels are if the two records are one person, divided by how probable
they are if they are two persons. Members of a family have the same surname, parent and home, and twins the same birth date. So if given
names differ, agreement in a field in which families agree is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

import numpy as np
import pandas as pd

from pipelines.linkage.compare import MISSING_LEVEL, Values
from pipelines.linkage.encoded_values import FieldComparer, encode_values
from pipelines.linkage.model import ComparedField
from pipelines.linkage.row_groups import Pairs
from pipelines.resources.integer_arrays import RowIndexByOwner

# Given name and surname are also compared with each other, in case they were swapped in one record. A swap costs `EXCHANGE_COST` bits.
EXCHANGED_FIELDS = {"given": "surname", "surname": "given"}
EXCHANGE_COST = 2.0
# Two records that differ in this field are taken for different members of a family, if they agree in fields in which families agree.
FIRST_NAME_FIELD = "given"
# The frequency of a name is estimated from the data and from the model; that of the model counts like `FREQUENCY_WORTH` records. Names
# depend on the country, so two foreigners of one country have the same name far more often than others. Therefore frequencies are also
# estimated within each citizenship; the frequency among all records counts like `GROUP_WORTH` records there.
FREQUENCY_WORTH = 50.0
GROUP_WORTH = 10.0
GROUP_FIELD = "citizenship"

LevelsAndBits = tuple[np.ndarray, np.ndarray]  # the level and the bits of each pair, in one field


class HasComparedFields(Protocol):
    """Anything that has compared fields, such as a linkage model."""

    @property
    def fields(self) -> tuple[ComparedField, ...]:
        """The compared fields."""
        ...


@dataclass(frozen=True)
class TokenFrequencies:
    """How frequent each token (a part of a name) is, by field.

    - `shares`: for each field, the share of records that have a token, by token and citizenship. An empty citizenship means all records.
    - `usual`: for each field, the share of random pairs that the model expects to agree exactly
    - `rare`: for each field, the share that is assumed for a token that was not counted
    """

    shares: dict[str, dict[tuple[str, str], float]]
    usual: dict[str, float]
    rare: dict[str, float]

    def look_up_frequencies(self, field_name: str, values: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return the frequency of each text, which is that of its most frequent token.

        The frequency of a token is that among all records or that among records of the citizenship in `group`, whichever is higher. If
        `group` is empty, it is that among all records.
        """
        shares, usual, rare = self.shares[field_name], self.usual[field_name], self.rare[field_name]
        table: dict[tuple[str, str], float] = {}
        for text, of_group in set(zip(values, group, strict=True)):
            found = [shares.get((t, g), 0.0 if g else rare) for t in text.split() for g in {"", of_group}]
            table[text, of_group] = max(found, default=0.0) or usual
        return np.fromiter((table[key] for key in zip(values, group, strict=True)), dtype="float64", count=len(values))


@dataclass(frozen=True)
class Likelihoods:
    """The result of comparing pairs of records.

    levels, bits: the comparison level that a pair reaches and the bits that it gives, with one row for each pair and one column for each
    field. weight: the match weight of each pair, which is the sum of its bits.
    """

    levels: pd.DataFrame
    bits: pd.DataFrame
    weight: np.ndarray


@dataclass(frozen=True)
class EncodedPersons:
    """Person records, encoded as numbers.

    codes: for each field, the code of the value of each record. values: for each field, the value that each code stands for, as in
    `encoded_values.EncodedValues`. group: the number of the citizenship of each record; below zero if it is not known. groups: the
    citizenship that each number stands for.
    """

    codes: dict[str, np.ndarray]
    values: dict[str, Values]
    group: np.ndarray
    groups: np.ndarray

    def count_records_by_text(self, field_name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Number the distinct texts in the field `field_name`.

        Return the number of the text of each record (below zero if the record has no text), the texts, and how many records have each text.
        """
        of_code, texts = pd.factorize(self.values[field_name][0])
        text = of_code[self.codes[field_name]]
        count = np.bincount(text, minlength=len(texts))
        there = (count > 0) & (texts != "")
        number = np.where(there, np.cumsum(there) - 1, -1)
        return number[text], texts[there], count[there]


def compute_token_frequencies(
    encoded_persons: EncodedPersons, model: HasComparedFields, model_weight: float = FREQUENCY_WORTH
) -> TokenFrequencies:
    """Return how frequent each token is among `encoded_persons`, for every field with levels whose weight depends on it.

    The frequency that the model expects counts like `model_weight` further records.
    """
    shares: dict[str, dict[tuple[str, str], float]] = {}
    usual: dict[str, float] = {}
    rare: dict[str, float] = {}
    for field in model.fields:
        if not any(level.frequency for level in field.levels):
            continue
        usual[field.name] = expected = field.levels[0].u
        # Each distinct text is split once.
        text, texts, count = encoded_persons.count_records_by_text(field.name)
        owner, token, tokens = _find_distinct_tokens(texts)
        total = float(count.sum())
        rare[field.name] = (1 + model_weight * expected) / (total + model_weight)
        overall = (np.bincount(token, weights=count[owner], minlength=len(tokens)) + model_weight * expected) / (total + model_weight)
        share_by_token = dict(zip(zip(tokens, repeat(""), strict=False), overall.tolist(), strict=True))
        group, groups = encoded_persons.group, encoded_persons.groups
        if len(groups) and field.name != GROUP_FIELD:
            both = (text >= 0) & (group >= 0)
            size = np.bincount(group[both], minlength=len(groups))
            cells, records_per_cell = np.unique(text[both] * len(groups) + group[both], return_counts=True)
            cell, token_row = RowIndexByOwner(owner, len(texts)).find_rows_of_owners(cells // len(groups))
            pairs, pair_number = np.unique(token[token_row] * len(groups) + (cells % len(groups))[cell], return_inverse=True)
            for pair, n in zip(pairs.tolist(), np.bincount(pair_number, weights=records_per_cell[cell]).tolist(), strict=True):
                word, g = tokens[pair // len(groups)], pair % len(groups)
                share_by_token[word, str(groups[g])] = (n + GROUP_WORTH * share_by_token[word, ""]) / (int(size[g]) + GROUP_WORTH)
        shares[field.name] = share_by_token
    return TokenFrequencies(shares, usual, rare)


def _find_distinct_tokens(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split distinct texts into tokens, and number the distinct tokens.

    Return, for each token in a text, the number of the text and the number of the token; and the distinct tokens.
    """
    words = [text.split() for text in texts] if len("".join(texts).split()) > 1 or "" in texts else None
    if words is None:  # every text is a token
        every = np.arange(len(texts))
        return every, every, texts
    owner = np.repeat(np.arange(len(words)), [len(own) for own in words])
    return owner, *pd.factorize(np.array([word for own in words for word in own], dtype=object))


def compute_likelihoods(
    persons: pd.DataFrame, left: np.ndarray, right: np.ndarray, model: HasComparedFields, token_frequencies: TokenFrequencies
) -> Likelihoods:
    """Compare the pairs (`left[i]`, `right[i]`) of rows of `persons`. Return the level and the bits of each field for each pair.

    persons: person records with the columns of `standardise.LinkageRecords.persons` that the model compares.
    """
    return PairScorer(encode_persons(persons, model), model, token_frequencies).compute_likelihoods_of_pairs(left, right)


def encode_persons(persons: pd.DataFrame, model: HasComparedFields) -> EncodedPersons:
    """Encode the values of `persons` as numbers: those of the compared fields, and the citizenship (`GROUP_FIELD`) if there is one."""
    group, groups = pd.factorize(persons[GROUP_FIELD]) if GROUP_FIELD in persons else (np.full(len(persons), -1), pd.Index([], dtype="str"))
    exchanged = find_swappable_name_fields(model)
    # The two names share their codes, since they may be swapped.
    all_names = pd.concat([persons[field.columns[0]] for field in exchanged], ignore_index=True).to_frame("name") if exchanged else None
    encoded_names = encode_values(all_names, ("name",)) if all_names is not None else None
    codes, values = {}, {}
    for field in model.fields:
        encoded = encoded_names if encoded_names is not None and field in exchanged else encode_values(persons, field.columns)
        first_record = exchanged.index(field) * len(persons) if encoded_names is not None and field in exchanged else 0
        codes[field.name], values[field.name] = encoded.codes[first_record : first_record + len(persons)], encoded.values
    return EncodedPersons(codes, values, group, np.asarray(groups, dtype=object))


def find_swappable_name_fields(model: HasComparedFields) -> list[ComparedField]:
    """Return the fields of given name and surname, which may be swapped in a record. Return no field if the model lacks one of them."""
    fields = [field for field in model.fields if field.name in EXCHANGED_FIELDS]
    return fields if len(fields) == len(EXCHANGED_FIELDS) else []


class PairScorer:
    """Scores pairs of records: computes the comparison level and the bits of each field. Comparisons of frequent values are cached."""

    def __init__(self, encoded_persons: EncodedPersons, model: HasComparedFields, token_frequencies: TokenFrequencies) -> None:
        self.token_frequencies = token_frequencies
        self._group, self._codes = encoded_persons.group, encoded_persons.codes
        texts = np.concatenate([np.array([""], dtype=object), encoded_persons.groups])
        self._fields = {
            field.name: _FieldScorer(field, encoded_persons.values[field.name], token_frequencies, texts) for field in model.fields
        }
        self._exchanged = [field.name for field in find_swappable_name_fields(model)]

    @classmethod
    def make_for_persons(cls, persons: pd.DataFrame, model: HasComparedFields, model_weight: float = FREQUENCY_WORTH) -> PairScorer:
        """Make a scorer for the records of `persons`, with frequencies of names that are counted among these records."""
        records = encode_persons(persons, model)
        return cls(records, model, compute_token_frequencies(records, model, model_weight))

    def restrict_to_rows(self, rows: np.ndarray) -> PairScorer:
        """Return a scorer of the records at `rows`, which are numbered from 0 there. Both scorers share the cached comparisons."""
        out = copy(self)
        out._group, out._codes = self._group[rows], {name: codes[rows] for name, codes in self._codes.items()}
        return out

    def compute_likelihoods_of_pairs(self, left: np.ndarray, right: np.ndarray) -> Likelihoods:
        """Compare the pairs (`left[i]`, `right[i]`) of rows. Return the level and the bits of each field for each pair."""
        scores = self.score_fields(left, right)
        levels = np.vstack([level for level, _ in scores.values()]).T
        bits = np.vstack([bits_of_field.astype("float32") for _, bits_of_field in scores.values()]).T
        return Likelihoods(
            pd.DataFrame(levels, columns=list(scores)), pd.DataFrame(bits, columns=list(scores)), _sum_bits_of_fields(scores, len(left))
        )

    def compute_weights(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the match weight of each pair in bits."""
        return _sum_bits_of_fields(self.score_fields(left, right), len(left))

    def score_fields(self, left: np.ndarray, right: np.ndarray) -> dict[str, LevelsAndBits]:
        """Return, by field, the level and the bits of each pair."""
        # Each value is as frequent as among records of the same citizenship. So a name that is common among Moldovans counts as common even
        # if the other record has no citizenship. If the two citizenships differ, the frequency among all records is used.
        group = np.column_stack([self._group[left], self._group[right]]) + 1
        group[(group.min(axis=1) > 0) & (group[:, 0] != group[:, 1])] = 0
        names = {name: self._score_field(name, name, left, right, group) for name in self._exchanged}
        self._use_swapped_names(left, right, group, names)
        scores = {name: names.get(name) or self._score_field(name, name, left, right, group) for name in self._fields}
        self._remove_family_evidence(scores)
        return scores

    def _remove_family_evidence(self, scores: dict[str, LevelsAndBits]) -> None:
        """Set the bits of fields in which families agree to 0, for pairs that agree in them although the given names differ, as siblings
        do.
        """
        if FIRST_NAME_FIELD not in scores:
            return
        differ = scores[FIRST_NAME_FIELD][0] == self._fields[FIRST_NAME_FIELD].last
        for name, (level, bits) in scores.items():
            if self._fields[name].family:
                bits[differ & (level != self._fields[name].last)] = 0.0

    def _score_field(self, left_field: str, right_field: str, left: np.ndarray, right: np.ndarray, group: np.ndarray) -> LevelsAndBits:
        """Compare the field `left_field` of the left record of each pair with the field `right_field` of its right record.

        Return the level and the bits of each pair.
        """
        return self._fields[left_field](self._codes[left_field][left], self._codes[right_field][right], group)

    def _use_swapped_names(self, left: np.ndarray, right: np.ndarray, group: np.ndarray, names: dict[str, LevelsAndBits]) -> None:
        """Replace the scores in `names`, for pairs that agree better if given name and surname of one record are swapped.

        Either record may be the swapped one, so the order of the two records does not matter.
        """
        if not names:
            return
        best = sum((bits for _, bits in names.values()), np.zeros(len(left)))
        rows = np.flatnonzero(best < 0)
        best, left, right, group = best[rows], left[rows], right[rows], group[rows]
        for one, other, of_side in ((left, right, group), (right, left, group[:, ::-1])):
            crossed = {name: self._score_field(name, EXCHANGED_FIELDS[name], one, other, of_side) for name in names}
            weight = sum((bits for _, bits in crossed.values()), np.full(len(rows), -EXCHANGE_COST))
            better = weight > best
            for name, (level, _) in crossed.items():  # if only one of the names agrees, the two are more likely relatives
                better &= (level != MISSING_LEVEL) & (level != self._fields[name].last)
            best = np.where(better, weight, best)
            for n, name in enumerate(names):
                level, bits = crossed[name]
                names[name][0][rows[better]] = level[better]
                names[name][1][rows[better]] = bits[better] - EXCHANGE_COST * (n == 0)


def _sum_bits_of_fields(scores: dict[str, LevelsAndBits], size: int) -> np.ndarray:
    """Return, for each of `size` pairs, the sum of its bits over all fields."""
    return sum((bits for _, bits in scores.values()), np.zeros(size))


def find_pairs_above_weight(scorer: PairScorer, pairs: Iterable[Pairs], min_weight: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weigh pairs that arrive in chunks. Return `left`, `right` and the weight of those that weigh at least `min_weight` bits."""
    parts = [(np.empty(0, dtype="int64"), np.empty(0, dtype="int64"), np.empty(0))]
    for left, right in pairs:
        weight = scorer.compute_weights(left, right)
        close = np.flatnonzero(weight >= min_weight)
        parts.append((left[close], right[close], weight[close]))
    left, right, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return left, right, weight


class _FieldScorer:
    """Computes the level and the bits of one field for pairs of codes.

    last: the number of the last level, which pairs reach that disagree. family: whether members of a family usually agree in the field.
    """

    def __init__(self, field: ComparedField, values: Values, token_frequencies: TokenFrequencies, groups: np.ndarray) -> None:
        self.last, self.family = len(field.levels) - 1, field.family
        self._name, self._known, self._texts, self._groups = field.name, token_frequencies, values[0], groups
        self._comparer = FieldComparer(field, values)
        # `MISSING_LEVEL` is -1, and so selects the zero that is appended.
        self._m, self._u = (np.append(np.log2([getattr(spec, share) for spec in field.levels]), 0.0) for share in ("m", "u"))
        self._bits = self._m - self._u
        self._share = np.append([spec.frequency for spec in field.levels], 0.0)
        self._rarity = np.empty(0)

    def __call__(self, left_codes: np.ndarray, right_codes: np.ndarray, group: np.ndarray) -> LevelsAndBits:
        level = self._comparer.find_levels_of_codes(left_codes, right_codes)
        bits = self._bits[level]
        rows = np.flatnonzero(self._share[level]) if self._share.any() else np.empty(0, dtype="int64")
        if len(rows):
            level_of_row = level[rows]
            u = np.minimum(
                self._u[level_of_row]
                + self._share[level_of_row] * self._compute_excess_frequency(left_codes[rows], right_codes[rows], group[rows]),
                0.0,
            )
            bits[rows] = self._m[level_of_row] - u
        return level, bits

    def _compute_excess_frequency(self, left_codes: np.ndarray, right_codes: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return by how many bits the value of each pair is more frequent than the model expects, for the more frequent of its two
        values.
        """
        rarer = np.maximum(self._look_up_frequencies(left_codes, group[:, 0]), self._look_up_frequencies(right_codes, group[:, 1]))
        return np.asarray(np.log2(rarer) - np.log2(self._known.usual[self._name]))

    def _look_up_frequencies(self, code: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return the frequency of each value among the records of its citizenship (see `TokenFrequencies`). Results are cached."""
        groups = len(self._groups)
        if not self._rarity.size:
            self._rarity = np.full(len(self._texts) * groups, np.nan)
        cells = code if groups == 1 else code.astype("int64") * groups + group
        frequencies = self._rarity[cells]
        new = np.isnan(frequencies)
        if new.any():
            missing = pd.unique(cells[new])
            value, of_group = np.divmod(missing, groups)
            self._rarity[missing] = self._known.look_up_frequencies(self._name, self._texts[value], self._groups[of_group])
            frequencies = self._rarity[cells]
        return frequencies
