"""The review queue: the doubtful decisions of the last run, most influential first.

Belongs here: which pairs are in doubt, contradictions within clusters, the order. Does not belong here: the measure of influence
(`influence`), the fields of records (`describe`).
"""

from __future__ import annotations

import pandas as pd

from harmonia.registry import Registry
from harmonia.review.following import current_verdicts
from harmonia.review.influence import count_influence, counted_rows
from harmonia.review.pairs import PAIR
from harmonia.review.published import RECORD, PublishedRun

# Odds beyond 32 to 1 are not doubtful by weight.
DOUBT_BITS = 5.0
# Birth dates of one person further apart than this contradict each other.
BIRTH_DAYS = 366
QUEUE = ["pair", *PAIR, "weight", "decision", "contradiction", "state", "moves", "touched", "reasons"]
OPEN = ("open", "unsure", "disputed", "proposed")


def queue(found: PublishedRun, registry: Registry, everything: bool = False) -> pd.DataFrame:
    """The doubtful pairs, columns `QUEUE`, by figures changed, figures touched, then doubt.

    A pair is doubtful where its weight is within `DOUBT_BITS` of zero, where two joined records contradict each other (`contradiction`:
    number, birth, sex), or where stewards disagree. `state`: open, same, different, unsure, disputed, proposed. Judged pairs are left out
    unless `everything`.
    """
    decisions = found.decisions()
    states = current_verdicts(registry, found.table("identities", "listed")).rename(columns={"verdict": "state"})
    pairs = decisions.merge(states, on=PAIR, how="left").fillna({"state": "open"})
    pairs["contradiction"] = contradictions(found, pairs)
    doubtful = pairs["weight"].abs().le(DOUBT_BITS) | pairs["contradiction"].ne("") | pairs["state"].ne("open")
    if not everything:
        doubtful &= pairs["state"].isin(OPEN)
    pairs = pairs[doubtful].reset_index(drop=True)
    if pairs.empty:
        return pairs.assign(moves=0, touched=0)[QUEUE]
    ids = [found.table("identities", name) for name in ("cases", "persons")]
    counted = count_influence(pairs.assign(joined=pairs["decision"] == "joined"), counted_rows(found), *ids)
    pairs = pairs.join(counted).assign(distance=pairs["weight"].abs())
    pairs = pairs.sort_values(["moves", "touched", "distance", "pair"], ascending=[False, False, True, True], kind="stable")
    return pairs[QUEUE].reset_index(drop=True)


def contradictions(found: PublishedRun, pairs: pd.DataFrame) -> pd.Series:
    """Contradictions between joined persons: `number` (two valid ones), `birth` (dates far apart), `sex`, comma-separated."""
    from pipelines.linkage.standardise import build_features

    persons = build_features(found.canonical()).persons
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
