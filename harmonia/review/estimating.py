"""Precision and recall of the published linkage, estimated from judgements on a blind sample.

Belongs here: the estimates and their intervals. Does not belong here: drawing the sample (`strata`), the registry (`sampling`).

A pair is labelled if stewards judged it as the same (a match) or as different. The number of matches in a stratum is estimated as its
number of pairs times the share of matches among its labelled pairs (Horvitz–Thompson estimator).

The 95 % interval is computed by melding (Fay, Proschan and Brittain 2015). Let x of the n labelled pairs of a stratum be matches. The
number of matches among its other pairs then has two confidence distributions, which are exact for sampling without replacement. Both are
beta-binomial: the lower one with Beta(x, n − x + 1), the upper one with Beta(x + 1, n − x). The lower limit of precision or recall uses,
for every stratum, the distribution that makes it smaller, and the upper limit uses the other distribution. A stratum whose pairs are all
labelled does not widen the interval, but a stratum with unlabelled pairs does, even if none of its labelled pairs is a match.

Pairs that are unsure or disputed count as different for the lower limit, as matches for the upper limit, and as unlabelled for the
estimate.
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
    """The counts of pairs of cases or of persons, as arrays with one element per stratum. A stratum is a part of the candidate pairs.

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

    The result has one row for each entity and measure. Its columns are entity, measure (precision or recall), estimate, low and high
    (shares; null if nothing was labelled), and three numbers of pairs: pairs (all pairs that the measure is about), labelled and unsure.
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
    """Estimate the number of matches among all pairs of each stratum. The estimate is null if none of the stratum's pairs was labelled."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(label_counts.pairs * (label_counts.matches / label_counts.labelled))


def _compute_precision(label_counts: LabelCounts) -> float:
    joined = label_counts.joined.astype(bool)
    return float(_estimate_matches(label_counts)[joined].sum() / label_counts.pairs[joined].sum()) if joined.any() else float("nan")


def _compute_recall(label_counts: LabelCounts) -> float:
    matches, joined = _estimate_matches(label_counts), label_counts.joined.astype(bool)
    return float(matches[joined].sum() / matches.sum()) if matches.sum() != 0 else float("nan")


def _compute_interval_limits(label_counts: LabelCounts) -> tuple[tuple[float, float], tuple[float, float]]:
    """Compute the limits of the intervals. Returns the lower limits of precision and recall, and then the upper limits of precision and
    recall."""
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
    """Draw the number of matches in each stratum from its confidence distribution for one side of the interval (`low`, `high`).

    Returns an array of `DRAWS` rows and one column per stratum.
    """
    matches = label_counts.matches + (label_counts.unsure if side == "high" else 0)
    others = label_counts.others + (label_counts.unsure if side == "low" else 0)
    left = label_counts.pairs - matches - others
    a, b = (matches, others + 1) if side == "low" else (matches + 1, others)
    # A beta distribution with a parameter of zero is a point mass: at 0 (low) or at 1 (high).
    share = random_generator.beta(np.maximum(a, 1e-9), np.maximum(b, 1e-9), size=(DRAWS, len(left)))
    share = np.where(a == 0, 0.0, np.where(b == 0, 1.0, share))
    return np.asarray(matches + random_generator.binomial(left, share))
