"""Current verdicts, also on persons whose record key is a list position that belongs to another person now.

The key of some person records is a list position, such as the position among the defendants of a case, and a later delivery may give it
to another person. A judgement is about the person who had the position when it was entered.
Belongs here: finding the person that a judgement is about. Does not belong here: finding the list positions of one person
(`pipelines.linkage.list_positions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from harmonia.registry import Registry
from harmonia.registry.ledger import now, read_deliveries
from harmonia.review.judgements import combine_judgements, read_judgements


def read_current_verdicts(registry: Registry, list_positions: pd.DataFrame, further_judgements: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the current verdict on each pair, as `combine_judgements` does, with the current record keys of persons.

    `list_positions` comes from `pipelines.linkage.list_positions.find_keys_of_listed_persons`. `further_judgements` has the columns
    `PAIR`, verdict and steward; these judgements count as if they were entered now.
    """
    judgements = read_judgements(registry)
    if further_judgements is not None:
        judgements = pd.concat([judgements, further_judgements.assign(decided_at=now())], ignore_index=True)
    if list_positions.empty or judgements.empty:
        return combine_judgements(judgements)
    with registry.read() as session:
        received = {(one.institution, one.name): one.receipts[0].first_seen for one in read_deliveries(session)}
    return combine_judgements(update_keys_of_moved_persons(judgements, list_positions, received))


def update_keys_of_moved_persons(
    judgements: pd.DataFrame, list_positions: pd.DataFrame, receipt_times: Mapping[tuple[str, str], datetime]
) -> pd.DataFrame:
    """Return `judgements` with the current record key of each person.

    If a record key is a list position, the stored key is the position that the person had when the judgement was entered. `judgements`
    comes from `read_judgements`, and `list_positions` from `pipelines.linkage.list_positions.find_keys_of_listed_persons`.
    `receipt_times` maps institution and delivery to the time when the delivery was first received.
    """
    first = pd.Series(receipt_times).rename("received").rename_axis(["institution", "delivery"])
    states = list_positions.merge(first.reset_index(), on=["institution", "delivery"], how="left")
    out = judgements.copy()
    for side in "ab":
        judged = judgements.loc[judgements["entity"] == "person", [f"institution_{side}", f"key_{side}", "decided_at"]]
        judged = judged.set_axis(["institution", "record_key", "decided_at"], axis=1).rename_axis("row").reset_index()
        judged = judged.assign(bare=judged["record_key"].str.partition("@")[0], at=judged["record_key"].str.partition("@")[2])
        matches = judged.merge(states.rename(columns={"record_key": "bare"}), on=["institution", "bare"])
        matches = matches[(matches["at"] == "") | (matches["at"] == matches["delivery"])]
        latest = matches.assign(known=matches["received"] <= matches["decided_at"], order=matches["delivery"])
        latest = latest.sort_values(["known", "order"], kind="stable").drop_duplicates("row", keep="last").set_index("row")
        out.loc[latest.index, f"key_{side}"] = latest["person_key"]
    return out
