"""Fellegi–Sunter match weights of pairs of person records, in bits.

Belongs here: from levels to weights, term frequencies, what families share. Does not belong here: thresholds and clusters (`persons`,
`cluster`), the tests behind the levels (`compare`).

The weight of a pair is log2 of how much likelier its levels are for one person than for two strangers. Two of one family share surname,
parent and home (and twins the birth date): where first names differ, agreement in a field that runs in families says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.linkage.compare import MISSING, Values, column_values, compare
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
        tokens = (
            persons[field.columns[0]].dropna().str.split().explode().to_frame("token").join(persons[[GROUP]].rename(columns={GROUP: "g"}))
        )
        counts = tokens["token"].value_counts()
        records = float(persons[field.columns[0]].notna().sum())
        rare[field.name] = (1 + FREQUENCY_WORTH * expected) / (records + FREQUENCY_WORTH)
        overall = (counts + FREQUENCY_WORTH * expected) / (records + FREQUENCY_WORTH)
        found = {(str(token), ""): float(share) for token, share in overall.items()}
        if field.name != GROUP:
            size = persons.loc[persons[field.columns[0]].notna(), GROUP].value_counts().to_dict()
            by_group = tokens.groupby(["g", "token"]).size().reset_index(name="n")
            for group, token, n in by_group.itertuples(index=False, name=None):
                found[token, group] = (n + GROUP_WORTH * found[token, ""]) / (size[group] + GROUP_WORTH)
        shares[field.name] = found
    return Frequencies(shares, usual, rare)


def likelihoods(persons: pd.DataFrame, left: np.ndarray, right: np.ndarray, model: Model, known: Frequencies) -> Likelihoods:
    """Levels and bits of the pairs (`left[i]`, `right[i]`), rows of `persons` (columns as `standardise.Records`)."""
    pairs = _Pairs(persons, left, right)
    names = {field.name: pairs.scored(field, field.columns, known) for field in model.fields if field.name in EXCHANGED}
    _exchange_names(pairs, model, known, names)
    found = {field.name: names.get(field.name) or pairs.scored(field, field.columns, known) for field in model.fields}
    _as_of_one_family(model, found)
    levels = pd.DataFrame({name: level.astype("int8") for name, (level, _) in found.items()})
    bits = pd.DataFrame({name: own.astype("float32") for name, (_, own) in found.items()})
    return Likelihoods(levels, bits, sum((own for _, own in found.values()), np.zeros(len(left))))


def _as_of_one_family(model: Model, found: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Where first names differ, that brothers or twins share what families share says nothing (changes `found`)."""
    last = {field.name: len(field.levels) - 1 for field in model.fields}
    if FIRST_NAME not in found:
        return
    differ = found[FIRST_NAME][0] == last[FIRST_NAME]
    for field in model.fields:
        if field.family:
            level, bits = found[field.name]
            bits[differ & (level != last[field.name])] = 0.0


class _Pairs:
    """Pairs of rows of `persons`; each distinct pair of values is compared once, however many pairs of rows have it."""

    def __init__(self, persons: pd.DataFrame, left: np.ndarray, right: np.ndarray, rows: np.ndarray | None = None) -> None:
        self.persons = persons
        self.left: np.ndarray = left if rows is None else left[rows]
        self.right: np.ndarray = right if rows is None else right[rows]

    def at(self, rows: np.ndarray) -> _Pairs:
        return _Pairs(self.persons, self.left, self.right, rows)

    def turned(self) -> _Pairs:
        return _Pairs(self.persons, self.right, self.left)

    def scored(self, field: Field, other: tuple[str, ...], known: Frequencies) -> tuple[np.ndarray, np.ndarray]:
        """Level and bits per pair; the right side's values come from the columns `other`."""
        a, first = _coded(self.persons, field.columns)
        b, second = _coded(self.persons, other)
        group, names = self._groups(field.name in known.usual)
        code, distinct = pd.factorize((a[self.left] * len(second) + b[self.right]) * len(names) + group)
        both, of_group = distinct // len(names), names[distinct % len(names)]
        left = column_values(self.persons, field.columns, first[both // max(len(second), 1)])
        right = column_values(self.persons, other, second[both % max(len(second), 1)])
        level, bits = _field_bits(field, left, right, known, of_group)
        return level[code], bits[code]

    def _groups(self, used: bool) -> tuple[np.ndarray, np.ndarray]:
        """Number per pair of the citizenship that both sides share, and the names (empty: none shared, or not used)."""
        none = np.array([""], dtype=object)
        if not used or not len(self.left):
            return np.zeros(len(self.left), dtype="int64"), none
        code, found = pd.factorize(self.persons[GROUP])
        shared = np.where(code[self.left] == code[self.right], code[self.left] + 1, 0)
        return shared, np.concatenate([none, found.astype(object)])


def _coded(persons: pd.DataFrame, columns: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Number of the values of `columns` per row, and a row for each number."""
    code = np.zeros(len(persons), dtype="int64")
    for name in columns:
        own, distinct = pd.factorize(persons[name], use_na_sentinel=False)
        code = pd.factorize(code * max(len(distinct), 1) + own)[0].astype("int64")
    first = np.full(int(code.max()) + 1 if len(code) else 1, 0, dtype="int64")
    first[code[::-1]] = np.arange(len(code))[::-1]
    return code, first


def _field_bits(field: Field, left: Values, right: Values, known: Frequencies, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    level = compare(field, left, right)
    # The level MISSING is -1, so that the appended zero is what it picks.
    m, u = (np.append(np.log2([getattr(spec, share) for spec in field.levels]), 0.0)[level] for share in ("m", "u"))
    share = np.append([spec.frequency for spec in field.levels], 0.0)[level]
    rows = np.flatnonzero(share)
    if len(rows):
        rarer = np.maximum(known.of(field.name, left[0][rows], group[rows]), known.of(field.name, right[0][rows], group[rows]))
        shift = share[rows] * (np.log2(rarer) - np.log2(known.usual[field.name]))
        u[rows] = np.minimum(u[rows] + shift, 0.0)
    return level, m - u


def _exchange_names(pairs: _Pairs, model: Model, known: Frequencies, names: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Where given name and surname agree better with the places of one side exchanged, put that in their stead (changes `names`).

    Either side may be the one that has them exchanged, so that it does not matter which of the two comes first.
    """
    fields = {field.name: field for field in model.fields if field.name in names}
    if len(fields) < len(EXCHANGED):
        return
    best = sum((bits for _, bits in names.values()), np.zeros(len(pairs.left)))
    rows = np.flatnonzero(best < 0)
    best, subset = best[rows], pairs.at(rows)
    for sides in (subset, subset.turned()):
        crossed = {name: sides.scored(field, fields[EXCHANGED[name]].columns, known) for name, field in fields.items()}
        weight = sum((bits for _, bits in crossed.values()), np.full(len(rows), -EXCHANGE_COST))
        better = weight > best
        for name, (level, _) in crossed.items():  # one name in the other's place is a relative rather than an exchange
            better &= (level != MISSING) & (level != len(fields[name].levels) - 1)
        best = np.where(better, weight, best)
        for n, name in enumerate(fields):
            level, bits = crossed[name]
            names[name][0][rows[better]] = level[better]
            names[name][1][rows[better]] = bits[better] - EXCHANGE_COST * (n == 0)
