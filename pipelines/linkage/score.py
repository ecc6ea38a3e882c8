"""Fellegi–Sunter match weights of pairs of person records, in bits.

Belongs here: from levels to weights, term frequencies, what families share. Does not belong here: thresholds and clusters (`persons`,
`cluster`), the tests behind the levels (`compare`).

The weight of a pair is log2 of how much likelier its levels are for one person than for two strangers. Two of one family share surname,
parent and home (and twins the birth date): where first names differ, agreement in a field that runs in families says nothing.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.compare import MISSING, Values
from pipelines.linkage.encoded import Comparer, encode
from pipelines.linkage.model import Field, Model

# Given name and surname are tried in exchanged places too; that they stand there exchanged costs this much (bits).
EXCHANGED = {"given": "surname", "surname": "given"}
EXCHANGE_COST = 2.0
# Who differ in this are taken for two of one family.
FIRST_NAME = "given"
# Worth, in records, of the model's own frequency of a value against the counts in the data, and of those of all against those
# of one citizenship: names go with the country, so that two foreigners of one country share names far more easily.
FREQUENCY_WORTH = 50.0
GROUP_WORTH = 10.0
GROUP = "citizenship"

Scored = tuple[np.ndarray, np.ndarray]  # level and bits per pair


@dataclass(frozen=True)
class Frequencies:
    """Share of records per token, by field and by citizenship (empty: all); `usual` is what the model expects of an exact agreement,
    `rare` the share of a token that was not among those counted."""

    shares: dict[str, dict[tuple[str, str], float]]
    usual: dict[str, float]
    rare: dict[str, float]

    def of(self, field: str, values: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Frequency of each text: that of its most frequent token, among all or in its `group` (empty: none), whichever is higher."""
        shares, usual, rare = self.shares[field], self.usual[field], self.rare[field]
        table: dict[tuple[str, str], float] = {}
        for text, of_group in set(zip(values, group, strict=True)):
            found = [shares.get((t, g), 0.0 if g else rare) for t in text.split() for g in {"", of_group}]
            table[text, of_group] = max(found, default=0.0) or usual
        return np.fromiter((table[key] for key in zip(values, group, strict=True)), dtype="float64", count=len(values))


@dataclass(frozen=True)
class Likelihoods:
    """Per pair: `levels` (a column a field), `bits` (a column a field: log2 m/u), and their sum `weight`, the match weight."""

    levels: pd.DataFrame
    bits: pd.DataFrame
    weight: np.ndarray


def frequencies(persons: pd.DataFrame, model: Model) -> Frequencies:
    """Token frequencies of every field whose levels use them, from `persons`, steadied by the model's own share of agreement."""
    shares: dict[str, dict[tuple[str, str], float]] = {}
    usual: dict[str, float] = {}
    rare: dict[str, float] = {}
    for field in model.fields:
        if not any(level.frequency for level in field.levels):
            continue
        usual[field.name] = expected = field.levels[0].u
        texts = persons[[field.columns[0], GROUP]].set_axis(["text", "g"], axis=1).dropna(subset=["text"])
        # Each text is taken apart once, however many records have it.
        counted = texts.groupby(["text", "g"], dropna=False, sort=False).size().reset_index(name="n")
        tokens = counted.assign(token=counted["text"].str.split()).explode("token")
        counts = tokens.groupby("token")["n"].sum().sort_values(ascending=False)
        records = float(len(texts))
        rare[field.name] = (1 + FREQUENCY_WORTH * expected) / (records + FREQUENCY_WORTH)
        overall = (counts + FREQUENCY_WORTH * expected) / (records + FREQUENCY_WORTH)
        found = {(str(token), ""): float(share) for token, share in overall.items()}
        if field.name != GROUP:
            size = texts["g"].value_counts().to_dict()
            by_group = tokens.dropna(subset=["g"]).groupby(["g", "token"])["n"].sum().reset_index()
            for group, token, n in by_group.itertuples(index=False, name=None):
                found[token, group] = (n + GROUP_WORTH * found[token, ""]) / (size[group] + GROUP_WORTH)
        shares[field.name] = found
    return Frequencies(shares, usual, rare)


def likelihoods(persons: pd.DataFrame, left: np.ndarray, right: np.ndarray, model: Model, known: Frequencies) -> Likelihoods:
    """Levels and bits of the pairs (`left[i]`, `right[i]`), rows of `persons` (columns as `standardise.Records`)."""
    return Scorer(coded(persons, model), model, known).likelihoods(left, right)


@dataclass(frozen=True)
class Coded:
    """Person records as numbers: `codes`, a column a field; `values` of each field by code, as `encoded.Encoded` has them; number of the
    `group` of each (below zero: none) and the `groups`."""

    codes: dict[str, np.ndarray]
    values: dict[str, Values]
    group: np.ndarray
    groups: np.ndarray


def coded(persons: pd.DataFrame, model: Model) -> Coded:
    """The records of `persons` (columns as `standardise.Records`)."""
    group, groups = pd.factorize(persons[GROUP])
    exchanged = exchanged_fields(model)
    # The two names share their codes, since either may stand in the other's place.
    both = pd.concat([persons[field.columns[0]] for field in exchanged], ignore_index=True).to_frame("name") if exchanged else None
    shared = encode(both, ("name",)) if both is not None else None
    codes, values = {}, {}
    for field in model.fields:
        encoded = shared if shared is not None and field in exchanged else encode(persons, field.columns)
        place = exchanged.index(field) * len(persons) if shared is not None and field in exchanged else 0
        codes[field.name], values[field.name] = encoded.codes[place : place + len(persons)], encoded.values
    return Coded(codes, values, group, np.asarray(groups, dtype=object))


def exchanged_fields(model: Model) -> list[Field]:
    """The fields that are tried in each other's place: both, or none."""
    fields = [field for field in model.fields if field.name in EXCHANGED]
    return fields if len(fields) == len(EXCHANGED) else []


class Scorer:
    """Scores pairs of records, as often as it is asked to: values are compared once."""

    def __init__(self, records: Coded, model: Model, known: Frequencies) -> None:
        self.known = known
        self._group, self._codes = records.group, records.codes
        texts = np.concatenate([np.array([""], dtype=object), records.groups])
        self._fields = {field.name: _FieldScorer(field, records.values[field.name], known, texts) for field in model.fields}
        self._exchanged = [field.name for field in exchanged_fields(model)]

    def at(self, rows: np.ndarray) -> Scorer:
        """The same for the records at `rows`, numbered from 0; what was compared stays common to both."""
        out = copy(self)
        out._group, out._codes = self._group[rows], {name: codes[rows] for name, codes in self._codes.items()}
        return out

    def likelihoods(self, left: np.ndarray, right: np.ndarray) -> Likelihoods:
        """See `likelihoods`."""
        group = np.where(self._group[left] == self._group[right], self._group[left] + 1, 0)
        names = {name: self._scored(name, name, left, right, group) for name in self._exchanged}
        self._exchange_names(left, right, group, names)
        found = {name: names.get(name) or self._scored(name, name, left, right, group) for name in self._fields}
        self._as_of_one_family(found)
        levels = np.vstack([level for level, _ in found.values()]).T
        bits = np.vstack([own.astype("float32") for _, own in found.values()]).T
        weight = sum((own for _, own in found.values()), np.zeros(len(left)))
        return Likelihoods(pd.DataFrame(levels, columns=list(found)), pd.DataFrame(bits, columns=list(found)), weight)

    def _as_of_one_family(self, found: dict[str, Scored]) -> None:
        """Where first names differ, that brothers or twins share what families share says nothing (changes `found`)."""
        if FIRST_NAME not in found:
            return
        differ = found[FIRST_NAME][0] == self._fields[FIRST_NAME].last
        for name, (level, bits) in found.items():
            if self._fields[name].family:
                bits[differ & (level != self._fields[name].last)] = 0.0

    def _scored(self, name: str, other: str, left: np.ndarray, right: np.ndarray, group: np.ndarray) -> Scored:
        """Level and bits per pair, of the field `name`; the right side's value is that of `other`."""
        return self._fields[name](self._codes[name][left], self._codes[other][right], group)

    def _exchange_names(self, left: np.ndarray, right: np.ndarray, group: np.ndarray, names: dict[str, Scored]) -> None:
        """Where given name and surname agree better with the places of one side exchanged, put that in their stead (changes `names`).

        Either side may be the one that has them exchanged, so that it does not matter which of the two comes first.
        """
        if not names:
            return
        best = sum((bits for _, bits in names.values()), np.zeros(len(left)))
        rows = np.flatnonzero(best < 0)
        best, left, right, group = best[rows], left[rows], right[rows], group[rows]
        for one, other in ((left, right), (right, left)):
            crossed = {name: self._scored(name, EXCHANGED[name], one, other, group) for name in names}
            weight = sum((bits for _, bits in crossed.values()), np.full(len(rows), -EXCHANGE_COST))
            better = weight > best
            for name, (level, _) in crossed.items():  # one name in the other's place is a relative rather than an exchange
                better &= (level != MISSING) & (level != self._fields[name].last)
            best = np.where(better, weight, best)
            for n, name in enumerate(names):
                level, bits = crossed[name]
                names[name][0][rows[better]] = level[better]
                names[name][1][rows[better]] = bits[better] - EXCHANGE_COST * (n == 0)


class _FieldScorer:
    """Level and bits of one field for pairs of codes; `last`: its level of difference, `family`: whether it runs in families."""

    def __init__(self, field: Field, values: Values, known: Frequencies, groups: np.ndarray) -> None:
        self.last, self.family = len(field.levels) - 1, field.family
        self._name, self._known, self._texts, self._groups = field.name, known, values[0], groups
        self._comparer = Comparer(field, values)
        # The level MISSING is -1, so that the appended zero is what it picks.
        self._m, self._u = (np.append(np.log2([getattr(spec, share) for spec in field.levels]), 0.0) for share in ("m", "u"))
        self._share = np.append([spec.frequency for spec in field.levels], 0.0)
        self._rarity = np.empty((0, 0))

    def __call__(self, a: np.ndarray, b: np.ndarray, group: np.ndarray) -> Scored:
        level = self._comparer.levels(a, b)
        u = self._u[level]
        rows = np.flatnonzero(self._share[level]) if self._share.any() else np.empty(0, dtype="int64")
        if len(rows):
            u[rows] = np.minimum(u[rows] + self._share[level[rows]] * self._shift(a[rows], b[rows], group[rows]), 0.0)
        return level, self._m[level] - u

    def _shift(self, a: np.ndarray, b: np.ndarray, group: np.ndarray) -> np.ndarray:
        """How much more frequent (bits) the more frequent of both values is than the model expects of an agreement."""
        if not self._rarity.size:
            self._rarity = np.full((len(self._texts), len(self._groups)), np.nan)
        for code in (a, b):
            cells = pd.unique(code.astype("int64") * len(self._groups) + group)
            value, of_group = np.divmod(cells[np.isnan(self._rarity.ravel()[cells])], len(self._groups))
            self._rarity[value, of_group] = self._known.of(self._name, self._texts[value], self._groups[of_group])
        rarer = np.maximum(self._rarity[a, group], self._rarity[b, group])
        return np.asarray(np.log2(rarer) - np.log2(self._known.usual[self._name]))
