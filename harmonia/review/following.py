"""Read the current verdicts on pairs, and find the persons that they are about if record keys were given to other persons.

Some record keys of persons are only the position in a list, e.g. of the defendants of a case. A later delivery may give the position to
another person. A judgement is about the person who had the position when the steward judged.
Belongs here: finding the person that a judgement is about. Does not belong here: deciding which states of records belong to one person
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
    """Return the current verdict on each pair, in the form that `combine_judgements` returns. Persons have their current record keys.

    `list_positions` comes from `pipelines.linkage.list_positions.find_keys_of_listed_persons`. `further_judgements` has judgements that are
    included as if they were entered now, with the columns `PAIR`, verdict and steward.
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

    The registry stores the key that the person had when the steward judged, which may belong to another person now.

    `judgements` comes from `read_judgements`, and `list_positions` from `pipelines.linkage.list_positions.find_keys_of_listed_persons`.
    `receipt_times` says when each delivery was first received, by institution and delivery.
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
