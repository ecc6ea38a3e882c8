"""How a blind sample is laid out: which candidate pairs are strata, and how many of each are drawn.

Belongs here: bands of weight, allocation, the draw. Does not belong here: where pairs come from, the registry (`sampling`), what the
labels say (`estimating`).

What the clustering joined and what it refused are strata of their own, so that precision and recall each have their part of the
sample. Within them the share goes by the size of a band and by how often its pairs may be decided wrongly (Neyman's allocation, with
the model's own odds as a guess and a floor under it: the guess decides only how well the sample is spent, never what it says).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Bits that divide the bands, low to high. Few bands: each one of which nothing is seen widens the interval.
JOINED_BANDS = {"doubtful": (-np.inf, 4.0), "sure": (4.0, np.inf)}
REFUSED_BANDS = {"sure": (-np.inf, -8.0), "doubtful": (-8.0, np.inf)}
NEVER_COMPARED = "through others"
JOINED_SHARE = 0.45
LEAST_DRAWN = 10
ERROR_FLOOR = 0.004
ERROR_UNKNOWN = 0.03  # of pairs that were joined through others, never compared


def stratify(pairs: pd.DataFrame) -> pd.DataFrame:
    """`pairs` (entity, joined, weight: bits or null) with `stratum` (text) and `doubt`, the guessed share of wrong decisions there."""
    name = pd.Series(NEVER_COMPARED, index=pairs.index, dtype="str")
    for joined, bands in ((True, JOINED_BANDS), (False, REFUSED_BANDS)):
        for band, (low, high) in bands.items():
            name = name.mask((pairs["joined"] == joined) & (pairs["weight"] >= low) & (pairs["weight"] < high), band)
    decision = pairs["joined"].map({True: "joined", False: "refused"})
    wrong = 1.0 / (1.0 + np.exp2(pairs["weight"].abs().clip(upper=50)))
    out = pairs.assign(stratum=(pairs["entity"] + " " + decision + ", " + name).astype("str"), doubt=wrong.fillna(ERROR_UNKNOWN))
    out["doubt"] = out.groupby("stratum")["doubt"].transform("mean").clip(lower=ERROR_FLOOR)
    return out


def allocate(strata: pd.DataFrame, size: int) -> pd.Series:
    """How many pairs to draw from each stratum: whole numbers, at most its `pairs`, together `size` (or all pairs there are).

    strata: indexed by name; entity, joined, pairs, doubt. Entities share alike; within one, what was joined gets `JOINED_SHARE`.
    """
    share = pd.Series(0.0, index=strata.index)
    entities = strata["entity"].nunique()
    for (_, joined), part in strata.groupby(["entity", "joined"]):
        spread = part["pairs"] * np.sqrt(part["doubt"] * (1 - part["doubt"]))
        share[part.index] = (JOINED_SHARE if joined else 1 - JOINED_SHARE) / entities * spread / spread.sum()
    total = min(size, int(strata["pairs"].sum()))
    drawn = strata["pairs"].clip(upper=min(LEAST_DRAWN, total // max(len(strata), 1))).astype("float64")
    for _ in range(len(strata) + 1):  # a stratum that is full hands its share on
        open_strata = drawn < strata["pairs"]
        free = total - drawn.sum()
        if free <= 1e-9 or not open_strata.any():
            break
        wanted = (share * total - drawn).clip(lower=0).where(open_strata, 0.0)
        wanted = wanted if wanted.sum() > 1e-9 else (strata["pairs"] - drawn)
        drawn = (drawn + wanted * free / wanted.sum()).clip(upper=strata["pairs"])
    whole = (drawn + 1e-9).astype("int64")
    rest = (drawn - whole).where(whole < strata["pairs"], -1.0).sort_values(ascending=False, kind="stable")
    whole[rest.index[: total - int(whole.sum())]] += 1
    return whole.astype("int64")


def draw(pairs: pd.DataFrame, size: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified sample without replacement.

    pairs: entity, joined, weight and whatever names a pair, in any but a fixed order (the same order and `seed` give the same sample).
    Out: the pairs drawn in the random order in which they are to be shown, with stratum and probability (of inclusion); the strata:
    stratum, entity, joined, pairs, drawn.
    """
    placed = stratify(pairs)
    strata = placed.groupby("stratum").agg(
        entity=("entity", "first"), joined=("joined", "first"), pairs=("joined", "size"), doubt=("doubt", "first")
    )
    strata["drawn"] = allocate(strata, size)
    chance = np.random.default_rng(seed)
    order = placed.assign(chance=chance.random(len(placed))).sort_values("chance", kind="stable")
    taken = order[order.groupby("stratum").cumcount() < order["stratum"].map(strata["drawn"]).astype("int64")]
    taken = taken.iloc[chance.permutation(len(taken))].reset_index(drop=True)
    taken["probability"] = taken["stratum"].map(strata["drawn"] / strata["pairs"])
    return taken.drop(columns=["doubt", "chance"]), strata.drop(columns="doubt").reset_index()
