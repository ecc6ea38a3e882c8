"""The queue: which decisions of the last run a steward should look at, most influential first.

Belongs here: which pairs are in doubt, contradictions within clusters, the order. Does not belong here: the measure of influence
(`influence`), what the records say (`describe`).
"""

from __future__ import annotations

import pandas as pd

from pipelines.registry import Registry
from pipelines.review.following import standing
from pipelines.review.influence import counted_rows, influence
from pipelines.review.pairs import PAIR
from pipelines.review.published import RECORD, Published

# Odds of 32 to 1 and better are no doubt by weight alone.
DOUBT_BITS = 5.0
# Two birth dates of one person lie closer than this, but for an error in the year that nothing explains.
BIRTH_DAYS = 366
QUEUE = ["pair", *PAIR, "weight", "decision", "contradiction", "state", "moves", "touched", "reasons"]
OPEN = ("open", "unsure", "disputed")


def queue(found: Published, registry: Registry, everything: bool = False) -> pd.DataFrame:
    """The pairs in doubt, columns `QUEUE`: those that could move most figures first, then by figures touched, then the most doubtful.

    A pair is in doubt where its weight lies within `DOUBT_BITS` of zero, where the two records contradict each other and were joined all
    the same (`contradiction`: number, birth, sex), or where stewards disagree. `state`: open, same, different, unsure, disputed. Pairs
    with a verdict that stands are left out unless `everything`.
    """
    decisions = found.decisions()
    states = standing(registry, found.table("identities", "listed")).rename(columns={"verdict": "state"})
    pairs = decisions.merge(states, on=PAIR, how="left").fillna({"state": "open"})
    pairs["contradiction"] = contradictions(found, pairs)
    doubtful = pairs["weight"].abs().le(DOUBT_BITS) | pairs["contradiction"].ne("") | pairs["state"].ne("open")
    if not everything:
        doubtful &= pairs["state"].isin(OPEN)
    pairs = pairs[doubtful].reset_index(drop=True)
    if pairs.empty:
        return pairs.assign(moves=0, touched=0)[QUEUE]
    ids = [found.table("identities", name) for name in ("cases", "persons")]
    counted = influence(pairs.assign(joined=pairs["decision"] == "joined"), counted_rows(found), *ids)
    pairs = pairs.join(counted).assign(distance=pairs["weight"].abs())
    pairs = pairs.sort_values(["moves", "touched", "distance", "pair"], ascending=[False, False, True, True], kind="stable")
    return pairs[QUEUE].reset_index(drop=True)


def contradictions(found: Published, pairs: pd.DataFrame) -> pd.Series:
    """What speaks against persons who were joined: `number` (two valid ones), `birth` (dates far apart), `sex`, comma-separated."""
    from pipelines.linkage.standardise import standardise

    persons = standardise(found.canonical()).persons
    features = persons.set_index(RECORD)[["number", "valid", "birth_date", "sex"]]
    own = pairs[(pairs["entity"] == "person") & (pairs["decision"] == "joined")]
    a, b = (features.reindex(pd.MultiIndex.from_frame(own[[f"institution_{s}", f"key_{s}"]])).set_axis(own.index) for s in "ab")
    valid = a["valid"].fillna(False).astype(bool) & b["valid"].fillna(False).astype(bool)
    marks = {
        "number": valid & (a["number"] != b["number"]).fillna(False),
        "birth": ((a["birth_date"] - b["birth_date"]).abs() > pd.Timedelta(days=BIRTH_DAYS)),
        "sex": a["sex"].notna() & b["sex"].notna() & (a["sex"] != b["sex"]).fillna(False),
    }
    joined = pd.Series("", index=own.index, dtype="str")
    for name, mask in marks.items():
        joined = joined.mask(mask, joined + f",{name}")
    joined = joined.str.lstrip(",")
    return joined.reindex(pairs.index).fillna("").astype("str")
