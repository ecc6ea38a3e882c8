"""Judgements on persons in lists whose places change hands: they stay with the person, not with the place.

Belongs here: which person a judgement spoke of. Does not belong here: which states are one person's (`pipelines.linkage.places`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from pipelines.registry import Registry
from pipelines.registry.ledger import deliveries
from pipelines.review.judgements import effective, read


def standing(registry: Registry, places: pd.DataFrame) -> pd.DataFrame:
    """The verdicts that stand (`judgements.effective`), on persons by the keys that they bear now. places: of `places.listed`."""
    said = read(registry)
    if places.empty or said.empty:
        return effective(said)
    with registry.read() as session:
        received = {(one.institution, one.name): one.receipts[0].first_seen for one in deliveries(session)}
    return effective(followed(said, places, received))


def followed(said: pd.DataFrame, places: pd.DataFrame, received: Mapping[tuple[str, str], datetime]) -> pd.DataFrame:
    """`said` with the key that the person bears now, in place of that of the place at which the person stood when it was said.

    said: of `judgements.read`. received: first receipt of each institution and delivery.
    """
    first = pd.Series(received).rename("received").rename_axis(["institution", "delivery"])
    states = places.merge(first.reset_index(), on=["institution", "delivery"], how="left")
    out = said.copy()
    for side in "ab":
        asked = said.loc[said["entity"] == "person", [f"institution_{side}", f"key_{side}", "decided_at"]]
        asked = asked.set_axis(["institution", "record_key", "decided_at"], axis=1).rename_axis("row").reset_index()
        asked = asked.assign(bare=asked["record_key"].str.partition("@")[0], at=asked["record_key"].str.partition("@")[2])
        found = asked.merge(states.rename(columns={"record_key": "bare"}), on=["institution", "bare"])
        found = found[(found["at"] == "") | (found["at"] == found["delivery"])]
        known = found.assign(known=found["received"] <= found["decided_at"], order=found["delivery"])
        known = known.sort_values(["known", "order"], kind="stable").drop_duplicates("row", keep="last").set_index("row")
        out.loc[known.index, f"key_{side}"] = known["person_key"]
    return out
