"""Judgements on persons in lists whose positions are reassigned: a judgement follows the person, not the position.

Belongs here: the person that a judgement refers to. Does not belong here: which states are one person's (`pipelines.linkage.places`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from harmonia.registry import Registry
from harmonia.registry.ledger import deliveries, now
from harmonia.review.judgements import effective, read


def current_verdicts(registry: Registry, places: pd.DataFrame, further: pd.DataFrame | None = None) -> pd.DataFrame:
    """The current verdicts (`judgements.effective`), with the current keys of persons. places: from `places.find_listed_persons`.

    further: `PAIR`, verdict, steward of judgements not entered yet, taken as entered now
    """
    judgements = read(registry)
    if further is not None:
        judgements = pd.concat([judgements, further.assign(decided_at=now())], ignore_index=True)
    if places.empty or judgements.empty:
        return effective(judgements)
    with registry.read() as session:
        received = {(one.institution, one.name): one.receipts[0].first_seen for one in deliveries(session)}
    return effective(follow_moved_persons(judgements, places, received))


def follow_moved_persons(judgements: pd.DataFrame, places: pd.DataFrame, received: Mapping[tuple[str, str], datetime]) -> pd.DataFrame:
    """`judgements` with the current key of each person in place of the key of its position at the time of the judgement.

    judgements: from `judgements.read`. received: first receipt by institution and delivery.
    """
    first = pd.Series(received).rename("received").rename_axis(["institution", "delivery"])
    states = places.merge(first.reset_index(), on=["institution", "delivery"], how="left")
    out = judgements.copy()
    for side in "ab":
        asked = judgements.loc[judgements["entity"] == "person", [f"institution_{side}", f"key_{side}", "decided_at"]]
        asked = asked.set_axis(["institution", "record_key", "decided_at"], axis=1).rename_axis("row").reset_index()
        asked = asked.assign(bare=asked["record_key"].str.partition("@")[0], at=asked["record_key"].str.partition("@")[2])
        found = asked.merge(states.rename(columns={"record_key": "bare"}), on=["institution", "bare"])
        found = found[(found["at"] == "") | (found["at"] == found["delivery"])]
        known = found.assign(known=found["received"] <= found["decided_at"], order=found["delivery"])
        known = known.sort_values(["known", "order"], kind="stable").drop_duplicates("row", keep="last").set_index("row")
        out.loc[known.index, f"key_{side}"] = known["person_key"]
    return out
