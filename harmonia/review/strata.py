"""The design of a blind sample: its strata of candidate pairs, and their allocation.

Belongs here: bands of weight, allocation, the draw. Does not belong here: the candidate pairs, the registry (`sampling`), estimates
(`estimating`).

Joined and refused pairs are separate strata, so that precision and recall each get their part of the sample. Within them pairs are
allocated by the size of a band and its expected share of wrong decisions (Neyman allocation, with the model's odds as a guess and a
lower limit: the guess affects only the efficiency of the sample, not its validity).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Limits of the bands in bits. Few bands, since each without observed matches widens the interval.
JOINED_BANDS = {"doubtful": (-np.inf, 4.0), "sure": (4.0, np.inf)}
REFUSED_BANDS = {"sure": (-np.inf, -8.0), "doubtful": (-8.0, np.inf)}
NEVER_COMPARED = "through others"
JOINED_SHARE = 0.45
LEAST_DRAWN = 10
ERROR_FLOOR = 0.004
ERROR_UNKNOWN = 0.03  # for pairs joined through others, never compared


def stratify_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """`pairs` (entity, joined, weight: bits or null) with `stratum` (text) and `doubt`, its expected share of wrong decisions."""
    name = pd.Series(NEVER_COMPARED, index=pairs.index, dtype="str")
    for joined, bands in ((True, JOINED_BANDS), (False, REFUSED_BANDS)):
        for band, (low, high) in bands.items():
            name = name.mask((pairs["joined"] == joined) & (pairs["weight"] >= low) & (pairs["weight"] < high), band)
    decision = pairs["joined"].map({True: "joined", False: "refused"})
    wrong = 1.0 / (1.0 + np.exp2(pairs["weight"].abs().clip(upper=50)))
    out = pairs.assign(stratum=(pairs["entity"] + " " + decision + ", " + name).astype("str"), doubt=wrong.fillna(ERROR_UNKNOWN))
    out["doubt"] = out.groupby("stratum")["doubt"].transform("mean").clip(lower=ERROR_FLOOR)
    return out


def allocate_draws(strata: pd.DataFrame, size: int) -> pd.Series:
    """The number of pairs to draw from each stratum: at most its `pairs`, in total `size` (or all pairs).

    strata: indexed by name; entity, joined, pairs, doubt. Entities get equal shares; within one, joined pairs get `JOINED_SHARE`.
    """
    share = pd.Series(0.0, index=strata.index)
    entities = strata["entity"].nunique()
    for (_, joined), part in strata.groupby(["entity", "joined"]):
        spread = part["pairs"] * np.sqrt(part["doubt"] * (1 - part["doubt"]))
        share[part.index] = (JOINED_SHARE if joined else 1 - JOINED_SHARE) / entities * spread / spread.sum()
    total = min(size, int(strata["pairs"].sum()))
    drawn = strata["pairs"].clip(upper=min(LEAST_DRAWN, total // max(len(strata), 1))).astype("float64")
    for _ in range(len(strata) + 1):  # redistribute the shares of exhausted strata
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


def draw_pairs(pairs: pd.DataFrame, size: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A stratified sample without replacement.

    pairs: entity, joined, weight and the pair's columns, in a fixed order (the same order and `seed` give the same sample).
    Returns the pairs drawn in random order, with stratum and inclusion probability, and the strata: stratum, entity, joined, pairs,
    drawn.
    """
    placed = stratify_pairs(pairs)
    strata = placed.groupby("stratum").agg(
        entity=("entity", "first"), joined=("joined", "first"), pairs=("joined", "size"), doubt=("doubt", "first")
    )
    strata["drawn"] = allocate_draws(strata, size)
    chance = np.random.default_rng(seed)
    order = placed.assign(chance=chance.random(len(placed))).sort_values("chance", kind="stable")
    taken = order[order.groupby("stratum").cumcount() < order["stratum"].map(strata["drawn"]).astype("int64")]
    taken = taken.iloc[chance.permutation(len(taken))].reset_index(drop=True)
    taken["probability"] = taken["stratum"].map(strata["drawn"] / strata["pairs"])
    return taken.drop(columns=["doubt", "chance"]), strata.drop(columns="doubt").reset_index()
