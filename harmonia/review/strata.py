"""The design of a blind sample: into which strata pairs are divided, how many are drawn from each, and the drawing itself.

Does not belong here: listing the pairs, the registry (`sampling`), estimates (`estimating`).

Joined and refused pairs are separate strata, so that both precision and recall can be estimated from enough pairs. Both are divided
further into bands of match weights. The number of pairs drawn from a band follows from its size and its expected share of wrong decisions
(Neyman allocation). This share is derived from the odds of the model, with a lower limit; if it is wrong, the sample is less efficient
but valid.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Limits of the bands in bits. They are few, since each band without an observed match widens the confidence interval.
JOINED_BANDS = {"doubtful": (-np.inf, 4.0), "sure": (4.0, np.inf)}
REFUSED_BANDS = {"sure": (-np.inf, -8.0), "doubtful": (-8.0, np.inf)}
NEVER_COMPARED = "through others"
JOINED_SHARE = 0.45
MIN_DRAWN = 10  # pairs of each stratum
MIN_ERROR_SHARE = 0.004
UNKNOWN_ERROR_SHARE = 0.03  # of pairs that were joined through other records, without comparison


def stratify_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Assign each pair to a stratum. `pairs` has the columns entity, joined and weight (bits; null if the pair was not compared).

    Two columns are added: stratum (its name) and doubt (the expected share of wrong decisions in the stratum).
    """
    name = pd.Series(NEVER_COMPARED, index=pairs.index, dtype="str")
    for joined, bands in ((True, JOINED_BANDS), (False, REFUSED_BANDS)):
        for band, (low, high) in bands.items():
            name = name.mask((pairs["joined"] == joined) & (pairs["weight"] >= low) & (pairs["weight"] < high), band)
    decision = pairs["joined"].map({True: "joined", False: "refused"})
    wrong = 1.0 / (1.0 + np.exp2(pairs["weight"].abs().clip(upper=50)))
    out = pairs.assign(stratum=(pairs["entity"] + " " + decision + ", " + name).astype("str"), doubt=wrong.fillna(UNKNOWN_ERROR_SHARE))
    out["doubt"] = out.groupby("stratum")["doubt"].transform("mean").clip(lower=MIN_ERROR_SHARE)
    return out


def allocate_sample_to_strata(strata: pd.DataFrame, size: int) -> pd.Series:
    """Decide how many pairs to draw from each stratum, `size` in total. If there are fewer pairs than `size`, all are drawn.

    `strata` is indexed by name and has the columns entity, joined, pairs (their number) and doubt. Cases and persons get equal shares. Of
    each of these shares, the part `JOINED_SHARE` is for joined pairs.
    """
    share = pd.Series(0.0, index=strata.index)
    entities = strata["entity"].nunique()
    for (_, joined), part in strata.groupby(["entity", "joined"]):
        spread = part["pairs"] * np.sqrt(part["doubt"] * (1 - part["doubt"]))
        share[part.index] = (JOINED_SHARE if joined else 1 - JOINED_SHARE) / entities * spread / spread.sum()
    total = min(size, int(strata["pairs"].sum()))
    drawn = strata["pairs"].clip(upper=min(MIN_DRAWN, total // max(len(strata), 1))).astype("float64")
    for _ in range(len(strata) + 1):  # redistribute the shares of exhausted strata
        open_strata = drawn < strata["pairs"]
        free = total - drawn.sum()
        if free <= 1e-9 or not open_strata.any():
            break
        wanted = (share * total - drawn).clip(lower=0).where(open_strata, 0.0)
        wanted = wanted if wanted.sum() > 1e-9 else (strata["pairs"] - drawn)
        drawn = (drawn + wanted * free / wanted.sum()).clip(upper=strata["pairs"])
    numbers = (drawn + 1e-9).astype("int64")
    rest = (drawn - numbers).where(numbers < strata["pairs"], -1.0).sort_values(ascending=False, kind="stable")
    numbers[rest.index[: total - int(numbers.sum())]] += 1
    return numbers.astype("int64")


def draw_stratified_sample_of_pairs(pairs: pd.DataFrame, size: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw a stratified random sample without replacement.

    `pairs` has the columns entity, joined, weight and possibly others. The same rows in the same order and the same `seed` give the same
    sample.
    Returns two frames: the drawn pairs in random order, with the added columns stratum and probability (that the pair is drawn); and the
    strata, with the columns stratum, entity, joined, and the numbers of pairs: pairs and drawn.
    """
    placed = stratify_pairs(pairs)
    strata = placed.groupby("stratum").agg(
        entity=("entity", "first"), joined=("joined", "first"), pairs=("joined", "size"), doubt=("doubt", "first")
    )
    strata["drawn"] = allocate_sample_to_strata(strata, size)
    chance = np.random.default_rng(seed)
    order = placed.assign(chance=chance.random(len(placed))).sort_values("chance", kind="stable")
    taken = order[order.groupby("stratum").cumcount() < order["stratum"].map(strata["drawn"]).astype("int64")]
    taken = taken.iloc[chance.permutation(len(taken))].reset_index(drop=True)
    taken["probability"] = taken["stratum"].map(strata["drawn"] / strata["pairs"])
    return taken.drop(columns=["doubt", "chance"]), strata.drop(columns="doubt").reset_index()
