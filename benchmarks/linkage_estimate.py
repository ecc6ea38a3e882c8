"""Shares of fields for public sets, estimated without truth, so that the engine can score them beside peers that train themselves.

Belongs here: `u` from random pairs less the matches among them, `m` and the odds before by expectation maximisation over blocked pairs.
Does not belong here: how the product's model is trained (`pipelines.linkage.training`, which knows files), blocking and scoring, which
are the product's.

Each key is a separate session, as in Splink: among its pairs the fields that it names agree by selection and say nothing, the others
tell matches from the rest. A field's `m` is the median over the sessions, so that one that went astray (households under an address)
does not carry the model with it. Of two files that hold a person once each, only pairs count at last that are each other's best: people
of one household share so much that they pass for one person, until the person's own record is set against them. Sessions know no term
frequencies, the round after them does; no share is below a floor, so that a level that hardly happens does not decide alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipelines.linkage.blocking import MAX_RECORDS_PER_VALUE, BlockingKey, group_records_by_blocking_keys
from pipelines.linkage.compare import MISSING_LEVEL
from pipelines.linkage.encoded_values import FieldComparer, encode_values
from pipelines.linkage.model import ComparedField, ComparisonLevel
from pipelines.linkage.row_groups import CHUNK_PAIRS, Pairs, RowGroups
from pipelines.linkage.score import PairScorer, compute_token_frequencies, encode_persons, find_pairs_above_weight

RANDOM_PAIRS = 200_000
# Frequencies of values are taken as they are counted, not steadied by what `fields` declare.
AS_COUNTED = 0.0
# So many pairs of one key are enough for its shares.
MOST_PAIRS = 2_000_000
ROUNDS = 100
SETTLED = 1e-4
LEAST_M, LEAST_U = 1e-3, 1e-6
# Share of a key's pairs taken for matches at the start; with fewer matches than this a session says nothing.
START = 0.3
REFINED = 1
# Rounds in which, of two files, only pairs that are each other's best count as matches.
PAIRED = 3
LEAST_MATCHES = 20


@dataclass(frozen=True)
class Estimated:
    """`fields` with estimated shares; `odds`: log2 odds that two records at random are one person."""

    fields: tuple[ComparedField, ...]
    odds: float


@dataclass(frozen=True)
class _Patterns:
    """Distinct rows of levels among some pairs (a column a field) and how many pairs show each."""

    levels: np.ndarray
    count: np.ndarray


class _Pairs:
    """Levels of pairs of `records`, as patterns."""

    def __init__(self, records: pd.DataFrame, fields: Estimated, most: int, source: str | None) -> None:
        self._records, self._most, self._source = records, most, source
        self._codes = [encode_values(records, field.columns) for field in fields.fields]
        self._comparers = [FieldComparer(field, codes.values) for field, codes in zip(fields.fields, self._codes, strict=True)]
        self._sizes = np.array([len(field.levels) + 1 for field in fields.fields])
        self._coded = encode_persons(records, fields)
        self._found: dict[tuple[BlockingKey, ...], RowGroups] = {}

    def all(self) -> float:
        """How many pairs there are."""
        sizes = np.array([len(self._records)], dtype="float64")
        every = float((sizes * (sizes - 1) / 2).sum())
        if self._source is not None:
            sizes = self._records[self._source].value_counts().to_numpy("float64")
            every -= float((sizes * (sizes - 1) / 2).sum())
        return max(every, 1.0)

    def random(self) -> _Patterns:
        """Pairs at random; the same for the same number of records."""
        left, right = np.random.default_rng(0).integers(0, len(self._records), (2, RANDOM_PAIRS))
        apart = left != right
        if self._source is not None:
            file = self._records[self._source].to_numpy()
            apart &= file[left] != file[right]
        return self._count([self._patterns(left[apart], right[apart])])

    def exactly(self, tallies: list[np.ndarray]) -> list[np.ndarray]:
        """Random `tallies` with the share of equal values as counted over all pairs, where equal values are a field's first level."""
        out = []
        for tally, codes, comparer in zip(tallies, self._codes, self._comparers, strict=True):
            count = codes.count[~comparer.absent].astype("float64")
            if comparer.field.levels[0].test == "equal" and len(comparer.field.columns) == 1 and count.sum() > 1:
                equal = float((count * (count - 1)).sum() / (count.sum() * (count.sum() - 1)))
                rest = tally[1:] / max(tally[1:].sum(), 1.0) * (1 - equal)
                tally = np.concatenate([[equal], rest]) * max(tally.sum(), 1.0)
            out.append(tally)
        return out

    def blocked(self, keys: tuple[BlockingKey, ...], most: int) -> _Patterns:
        """Pairs that `keys` find; where these are many, each of about `most` counts for several."""
        pairs, each = sample(self._blocks(keys), most)
        found = self._count([self._patterns(left, right) for left, right in self._candidates(pairs)])
        return _Patterns(found.levels, found.count * each)

    def sample(self, keys: tuple[BlockingKey, ...], most: int) -> Iterable[Pairs]:
        """About `most` of the pairs that `keys` find."""
        return self._candidates(sample(self._blocks(keys), most)[0])

    def close(self, keys: tuple[BlockingKey, ...], fields: Estimated) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`left`, `right` and weight of the pairs that `keys` find and that are likelier than not one."""
        return find_pairs_above_weight(self.scorer(fields), self._candidates(self._blocks(keys).generate_pairs()), -fields.odds)

    def scorer(self, fields: Estimated) -> PairScorer:
        """What scores pairs by `fields`, whose columns are those of the start."""
        return PairScorer(self._coded, fields, compute_token_frequencies(self._coded, fields, AS_COUNTED))

    def _blocks(self, keys: tuple[BlockingKey, ...]) -> RowGroups:
        if keys not in self._found:
            self._found[keys] = group_records_by_blocking_keys(self._records, keys, max_rows=self._most).groups
        return self._found[keys]

    def _candidates(self, pairs: Iterable[Pairs]) -> Iterable[Pairs]:
        return pairs if self._source is None else across(pairs, self._records[self._source].to_numpy())

    def at(self, left: np.ndarray, right: np.ndarray) -> _Patterns:
        """Just these pairs."""
        return self._count([self._patterns(left, right)])

    def _patterns(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number = np.zeros(len(left), dtype="int64")
        for codes, comparer, size in zip(self._codes, self._comparers, self._sizes, strict=True):
            number = number * size + comparer.find_levels_of_codes(codes.codes[left], codes.codes[right]) + 1
        return np.unique(number, return_counts=True)

    def _count(self, parts: list[tuple[np.ndarray, np.ndarray]]) -> _Patterns:
        numbers = np.concatenate([np.empty(0, "int64"), *(part[0] for part in parts)])
        counts = np.concatenate([np.empty(0, "int64"), *(part[1] for part in parts)])
        distinct, place = np.unique(numbers, return_inverse=True)
        levels = np.empty((len(distinct), len(self._sizes)), dtype="int64")
        for column in range(len(self._sizes) - 1, -1, -1):
            distinct, levels[:, column] = np.divmod(distinct, self._sizes[column])
        return _Patterns(levels - 1, np.bincount(place, weights=counts, minlength=len(levels)))


def across(pairs: Iterable[Pairs], file: np.ndarray) -> Iterator[Pairs]:
    """Of a stream of pairs those of different files: two files are linked rather than one deduplicated."""
    for left, right in pairs:
        apart = file[left] != file[right]
        yield left[apart], right[apart]


def sample(groups: RowGroups, most: int) -> tuple[Iterator[Pairs], float]:
    """About `most` of the pairs of `groups` at most, from stretches of rows all over; and how many pairs each of them represents."""
    many = groups.count_of_pairs
    stretches, every = max(-(-many // CHUNK_PAIRS), 1), max(-(-many // most), 1)
    return groups.generate_pairs(pairs_per_chunk=CHUNK_PAIRS, stride=(0, every)), stretches / -(-stretches // every)


def estimate(
    records: pd.DataFrame,
    keys: tuple[BlockingKey, ...],
    fields: tuple[ComparedField, ...],
    most: int = MAX_RECORDS_PER_VALUE,
    source: str | None = None,
) -> Estimated:
    """Estimate `m`, `u` and the odds before; `m` starts from the shares that `fields` come with.

    most: see `blocking.group_records_by_blocking_keys`. source: a column that tells two files apart; then only pairs across them are
    candidates.
    """
    pairs = _Pairs(records, Estimated(fields, 0.0), most, source)
    seen = pairs.exactly(_tallies(fields, pairs.random(), None))
    fields = _with_tallies(fields, "u", seen, LEAST_U)
    by_key = [(pairs.blocked((key,), MOST_PAIRS), _named(key, fields)) for key in keys]
    every, total = pairs.blocked(keys, 4 * MOST_PAIRS), pairs.all()
    fields = _medians(fields, by_key)
    odds = _odds(fields, every, total, len(records))
    for _ in range(REFINED):
        fields = _without_matches(fields, seen, odds)
        fields = _with_tallies(fields, "m", _matches(pairs, keys, Estimated(fields, odds)), LEAST_M)
        odds = _odds(fields, every, total, len(records))
    fields = _without_matches(fields, seen, odds)
    if source is not None:
        for _ in range(PAIRED):
            left, right = _each_others_best(*pairs.close(keys, Estimated(fields, odds)))
            fields = _with_tallies(fields, "m", _tallies(fields, pairs.at(left, right), None), LEAST_M)
            odds = float(np.log2(max(len(left), 1)) - np.log2(total))
    return Estimated(fields, odds)


def _each_others_best(left: np.ndarray, right: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of which each side weighs most with the other: of two files that hold a person once each, only these can be matches.

    People of one household agree in all that they share, more often than chance has it; what they lose to is the person's own record.
    """
    frame = pd.DataFrame({"left": left, "right": right, "weight": weight})
    best = (frame["weight"] == frame.groupby("left")["weight"].transform("max")) & (
        frame["weight"] == frame.groupby("right")["weight"].transform("max")
    )
    return left[best.to_numpy()], right[best.to_numpy()]


def _without_matches(fields: tuple[ComparedField, ...], seen: list[np.ndarray], odds: float) -> tuple[ComparedField, ...]:
    """`fields` with `u` as `seen` among random pairs, less the matches among these: where each person has many records, they
    are most of what agrees on a birth date."""
    share = 1 / (1 + 2.0**-odds)
    strangers = [
        np.maximum(tally / max(tally.sum(), 1.0) - share * np.array([level.m for level in field.levels]), 0.0) * (tally.sum() > 0)
        for field, tally in zip(fields, seen, strict=True)
    ]
    return _with_tallies(fields, "u", strangers, LEAST_U)


def _medians(fields: tuple[ComparedField, ...], by_key: list[tuple[_Patterns, list[bool]]]) -> tuple[ComparedField, ...]:
    found: list[list[np.ndarray]] = [[] for _ in fields]
    for patterns, named in by_key:
        for n, shares in _session(fields, patterns, [n for n, taken in enumerate(named) if not taken]).items():
            found[n].append(shares)
    medians = [np.median(shares, axis=0) if shares else np.zeros(len(field.levels)) for shares, field in zip(found, fields, strict=True)]
    return _with_tallies(fields, "m", medians, LEAST_M)


def _matches(pairs: _Pairs, keys: tuple[BlockingKey, ...], known: Estimated) -> list[np.ndarray]:
    """Levels among one person's pairs by all fields together, per field from the keys that do not name it, if any.

    By weight with term frequencies, as pairs are scored: else namesakes with frequent names pass for one person whose birth date is wrong.
    """
    fields = known.fields
    free = [np.zeros(len(field.levels)) for field in fields]
    bound = [np.zeros(len(field.levels)) for field in fields]
    scorer_ = pairs.scorer(known)
    for key in keys:
        named = _named(key, fields)
        for left, right in pairs.sample((key,), MOST_PAIRS):
            found = list(scorer_.score_fields(left, right).values())
            share_ = 1 / (1 + np.exp2(-sum((bits for _, bits in found), np.full(len(left), known.odds))))
            for n, (level, _) in enumerate(found):
                there = level != MISSING_LEVEL
                (bound if named[n] else free)[n] += np.bincount(level[there], weights=share_[there], minlength=len(fields[n].levels))
    return [f if f.sum() >= 1 else b for f, b in zip(free, bound, strict=True)]


def _session(fields: tuple[ComparedField, ...], patterns: _Patterns, free: list[int]) -> dict[int, np.ndarray]:
    """Expectation maximisation over the pairs of one key by the fields that it leaves free: their shares `m` by number of field."""
    used = tuple(fields[n] for n in free)
    own = _Patterns(patterns.levels[:, free], patterns.count)
    total, share = own.count.sum(), START
    if not used or not total:
        return {}
    for _ in range(ROUNDS):
        before = _shares(used)
        posterior = _posterior(used, own, float(np.log2(share) - np.log2(1 - share)))
        share = float(np.clip((posterior * own.count).sum() / total, 1e-9, 1 - 1e-9))
        used = _with_tallies(used, "m", _tallies(used, own, posterior), LEAST_M)
        if np.abs(_shares(used) - before).max() < SETTLED:
            break
    if share * total < LEAST_MATCHES:
        return {}
    return {n: np.array([level.m for level in field.levels]) for n, field in zip(free, used, strict=True)}


def _odds(fields: tuple[ComparedField, ...], patterns: _Patterns, total: float, records: int) -> float:
    """Log2 odds among all pairs that agree with how many of the blocked pairs they make matches."""
    odds = float(np.log2(max(records, 2) / 2) - np.log2(total))
    for _ in range(ROUNDS):
        matches = float((_posterior(fields, patterns, odds) * patterns.count).sum())
        after = float(np.log2(max(matches, 1.0)) - np.log2(max(total - matches, 1.0)))
        if abs(after - odds) < SETTLED:
            break
        odds = after
    return odds


def _named(key: BlockingKey, fields: tuple[ComparedField, ...]) -> list[bool]:
    """Per field, whether the key names one of its columns."""
    return [any(re.search(rf"\b{re.escape(column)}\b", key.expression) for column in field.columns) for field in fields]


def _posterior(fields: tuple[ComparedField, ...], patterns: _Patterns, odds: float) -> np.ndarray:
    weight = np.full(len(patterns.levels), odds)
    for n, field in enumerate(fields):
        bits = np.array([np.log2(level.m / level.u) for level in field.levels] + [0.0])
        weight += bits[patterns.levels[:, n]]
    return np.asarray(1 / (1 + np.exp2(-weight)))


def _tallies(fields: tuple[ComparedField, ...], patterns: _Patterns, share: np.ndarray | None) -> list[np.ndarray]:
    count = patterns.count if share is None else patterns.count * share
    known = patterns.levels != MISSING_LEVEL
    return [
        np.bincount(patterns.levels[known[:, n], n], weights=count[known[:, n]], minlength=len(field.levels))
        for n, field in enumerate(fields)
    ]


def _with_tallies(fields: tuple[ComparedField, ...], share: str, tallies: list[np.ndarray], least: float) -> tuple[ComparedField, ...]:
    out = []
    for field, tally in zip(fields, tallies, strict=True):
        if tally.sum() > 0:
            values = np.maximum(tally / tally.sum(), least)
            levels = zip(field.levels, values / values.sum(), strict=True)
            field = replace(field, levels=tuple(ComparisonLevel(**{**vars(level), share: float(value)}) for level, value in levels))
        out.append(field)
    return tuple(out)


def _shares(fields: tuple[ComparedField, ...]) -> np.ndarray:
    return np.array([level.m for field in fields for level in field.levels])
