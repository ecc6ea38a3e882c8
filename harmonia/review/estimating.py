"""Precision and recall of the published linkage, estimated from judgements on a blind sample.

Belongs here: the estimates and their intervals. Does not belong here: drawing the sample (`strata`), the registry (`sampling`).

The estimate is that of Horvitz and Thompson: for each stratum, its number of pairs is multiplied by the share of matches among its
labelled pairs.
For the 95 % interval, the number of matches among the unlabelled pairs of a stratum has two confidence distributions, which are exact for
sampling without replacement: a beta-binomial with Beta(x, n − x + 1) for the lower side, and one with Beta(x + 1, n − x) for the upper
side. The lower limit uses for every stratum the side that lowers the figure, and the upper limit uses the other side (melding: Fay,
Proschan and Brittain 2015). A stratum that is completely labelled does not widen the interval; a stratum in which no match was observed
does. Pairs that are `unsure` or disputed count as non-matches for the lower limit, as matches for the upper limit, and as unlabelled for
the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

DRAWS = 20_000  # of the Monte Carlo simulation
CONFIDENCE_LEVEL = 0.95
_SEED = 20120101  # of the Monte Carlo: the same labels give the same interval


@dataclass(frozen=True)
class LabelCounts:
    """The strata of one entity (cases or persons), as arrays with one element per stratum. A stratum is a part of the candidate pairs.

    `joined` says whether linkage joined the pairs of the stratum. `pairs` is the number of its candidate pairs. `matches`, `others` and
    `unsure` are the numbers of sampled pairs that were labelled as the same, as different, and as unsure or disputed.
    """

    joined: np.ndarray
    pairs: np.ndarray
    matches: np.ndarray
    others: np.ndarray
    unsure: np.ndarray

    @property
    def labelled(self) -> np.ndarray:
        """Number of pairs that were labelled as the same or as different."""
        return self.matches + self.others


def estimate_accuracy(labels: pd.DataFrame) -> pd.DataFrame:
    """Estimate precision and recall of linkage for cases and persons, with 95 % confidence intervals.

    `labels` has one row for each stratum. Its columns are entity, joined, and the numbers of pairs: pairs, same, different, unsure.

    The result has the columns entity; measure (precision, recall); estimate, low, high (shares; null if nothing was labelled); pairs
    (number of candidate pairs that the measure is about); labelled, unsure (numbers of pairs).
    """
    rows = []
    for entity, part in labels.groupby("entity", sort=True):
        columns = (part[name].to_numpy() for name in ("joined", "pairs", "same", "different", "unsure"))
        counts_of_entity = LabelCounts(*columns)
        low, high = _compute_interval_limits(counts_of_entity)
        values = {
            "precision": (_compute_precision(counts_of_entity), counts_of_entity.joined.astype(bool)),
            "recall": (_compute_recall(counts_of_entity), np.ones(len(part), dtype=bool)),
        }
        for n, (measure, (value, part_of)) in enumerate(values.items()):
            counts = [int(column[part_of].sum()) for column in (counts_of_entity.pairs, counts_of_entity.labelled, counts_of_entity.unsure)]
            rows.append((entity, measure, value, min(low[n], value), max(high[n], value), *counts))
    return pd.DataFrame(rows, columns=["entity", "measure", "estimate", "low", "high", "pairs", "labelled", "unsure"])


def _estimate_matches(label_counts: LabelCounts) -> np.ndarray:
    """Estimate the number of matches among all pairs of each stratum. The estimate is NaN if no pair of the stratum was labelled."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(label_counts.pairs * (label_counts.matches / label_counts.labelled))


def _compute_precision(label_counts: LabelCounts) -> float:
    joined = label_counts.joined.astype(bool)
    return float(_estimate_matches(label_counts)[joined].sum() / label_counts.pairs[joined].sum()) if joined.any() else float("nan")


def _compute_recall(label_counts: LabelCounts) -> float:
    matches, joined = _estimate_matches(label_counts), label_counts.joined.astype(bool)
    return float(matches[joined].sum() / matches.sum()) if matches.sum() != 0 else float("nan")


def _compute_interval_limits(label_counts: LabelCounts) -> tuple[tuple[float, float], tuple[float, float]]:
    """Compute the limits of the 95 % intervals.

    Returns the lower limits of precision and recall, and then the upper limits of precision and recall.
    """
    chance = np.random.default_rng(_SEED)
    few, many = (_draw_matches(label_counts, side, chance) for side in ("low", "high"))
    joined = label_counts.joined.astype(bool)
    joined_matches = {side: drawn[:, joined].sum(axis=1) for side, drawn in (("low", few), ("high", many))}
    missed = {side: drawn[:, ~joined].sum(axis=1) for side, drawn in (("low", few), ("high", many))}
    size = label_counts.pairs[joined].sum()
    tail = (1 - CONFIDENCE_LEVEL) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        low = joined_matches["low"] / size, joined_matches["low"] / (joined_matches["low"] + missed["high"])
        high = joined_matches["high"] / size, joined_matches["high"] / (joined_matches["high"] + missed["low"])
    ends = [
        tuple(float(np.nanquantile(v, q)) if np.isfinite(v).any() else float("nan") for v in values)
        for values, q in ((low, tail), (high, 1 - tail))
    ]
    return (ends[0][0], ends[0][1]), (ends[1][0], ends[1][1])


def _draw_matches(label_counts: LabelCounts, side: str, random_generator: np.random.Generator) -> np.ndarray:
    """Draw random numbers of matches in each stratum, from its confidence distribution for one side of the interval (`low` or `high`).

    Returns an array with `DRAWS` rows and one column per stratum.
    """
    matches = label_counts.matches + (label_counts.unsure if side == "high" else 0)
    others = label_counts.others + (label_counts.unsure if side == "low" else 0)
    left = label_counts.pairs - matches - others
    a, b = (matches, others + 1) if side == "low" else (matches + 1, others)
    # A beta distribution with a parameter of zero is a point mass: at 0 (low) or at 1 (high).
    share = random_generator.beta(np.maximum(a, 1e-9), np.maximum(b, 1e-9), size=(DRAWS, len(left)))
    share = np.where(a == 0, 0.0, np.where(b == 0, 1.0, share))
    return np.asarray(matches + random_generator.binomial(left, share))
