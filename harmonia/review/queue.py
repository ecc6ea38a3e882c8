"""The review queue: pairs on which the decision of linkage is doubtful; those that can change most figures come first.

Belongs here: which pairs are doubtful, contradictions between joined records, the order of the queue. Does not belong here: how many
figures a pair can change (`influence`), the fields of records (`describe`).
"""

from __future__ import annotations

import pandas as pd

from harmonia.registry import Registry
from harmonia.review.following import read_current_verdicts
from harmonia.review.influence import estimate_influence_on_figures, read_counted_rows
from harmonia.review.pairs import PAIR
from harmonia.review.published import RECORD, PublishedRun

DOUBT_BITS = 5.0
"""If the weight of a pair is further from zero than this, the pair is not doubtful: the odds are more than 32 to 1."""
MAX_BIRTH_DAYS = 366
"""If the birth dates of two joined records are further apart than this, the records contradict each other."""
QUEUE = ["pair", *PAIR, "weight", "decision", "contradiction", "state", "moves", "touched", "reasons"]
OPEN = ("open", "unsure", "disputed", "proposed")


def list_doubtful_pairs(published_run: PublishedRun, registry: Registry, include_judged_pairs: bool = False) -> pd.DataFrame:
    """List the doubtful pairs of a run, with the columns `QUEUE`.

    A pair is doubtful if its weight is within `DOUBT_BITS` of zero, if its records are joined but contradict each other (column
    `contradiction`: number, birth or sex), or if stewards judged it. Of the judged pairs, only those that are unsure, disputed or
    proposed are listed; with `include_judged_pairs`, all judged pairs are listed.
    The pairs are sorted by the number of figures that a reversed decision would change (moves), then by the number of figures in which
    either side counts (touched), then by how near their weight is to zero.
    """
    decisions = published_run.read_decisions()
    states = read_current_verdicts(registry, published_run.read_lake_table("identities", "listed")).rename(columns={"verdict": "state"})
    pairs = decisions.merge(states, on=PAIR, how="left").fillna({"state": "open"})
    pairs["contradiction"] = find_contradictions(published_run, pairs)
    doubtful = pairs["weight"].abs().le(DOUBT_BITS) | pairs["contradiction"].ne("") | pairs["state"].ne("open")
    if not include_judged_pairs:
        doubtful &= pairs["state"].isin(OPEN)
    pairs = pairs[doubtful].reset_index(drop=True)
    if pairs.empty:
        return pairs.assign(moves=0, touched=0)[QUEUE]
    ids = [published_run.read_lake_table("identities", name) for name in ("cases", "persons")]
    counted = estimate_influence_on_figures(pairs.assign(joined=pairs["decision"] == "joined"), read_counted_rows(published_run), *ids)
    pairs = pairs.join(counted).assign(distance=pairs["weight"].abs())
    pairs = pairs.sort_values(["moves", "touched", "distance", "pair"], ascending=[False, False, True, True], kind="stable")
    return pairs[QUEUE].reset_index(drop=True)


def find_contradictions(published_run: PublishedRun, pairs: pd.DataFrame) -> pd.Series:
    """Find the contradictions in each pair of joined person records, as a text in which they are separated by commas.

    The text is empty if there are none. `number` means two different valid personal numbers, `birth` means birth dates that are far
    apart, and `sex` means different sexes.
    """
    from pipelines.linkage.standardise import build_linkage_records

    persons = build_linkage_records(published_run.read_canonical_tables()).persons
    features = persons.set_index(RECORD)[["number", "valid", "birth_date", "sex"]]
    joined_persons = pairs[(pairs["entity"] == "person") & (pairs["decision"] == "joined")]
    a, b = (
        features.reindex(pd.MultiIndex.from_frame(joined_persons[[f"institution_{s}", f"key_{s}"]])).set_axis(joined_persons.index)
        for s in "ab"
    )
    valid = a["valid"].fillna(False).astype(bool) & b["valid"].fillna(False).astype(bool)
    marks = {
        "number": valid & (a["number"] != b["number"]).fillna(False),
        "birth": ((a["birth_date"] - b["birth_date"]).abs() > pd.Timedelta(days=MAX_BIRTH_DAYS)),
        "sex": a["sex"].notna() & b["sex"].notna() & (a["sex"] != b["sex"]).fillna(False),
    }
    joined = pd.Series("", index=joined_persons.index, dtype="str")
    for name, mask in marks.items():
        joined = joined.mask(mask, joined + f",{name}")
    joined = joined.str.lstrip(",")
    return joined.reindex(pairs.index).fillna("").astype("str")
