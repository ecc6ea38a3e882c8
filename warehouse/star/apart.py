"""Which records must be counted together, so that the others can be counted apart from them.

Belongs here: finding groups of cases that share persons, and putting them into pieces of about one size. Does not belong here: counting.

What counting makes of a case hangs on the records of the case and on the other cases of its persons (a person counts once), and on nothing
else (`warehouse.star.build.of_cases`). So cases that persons tie stand in one piece; where many hang together by persons who come again,
their piece is as large as they are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage.cluster import components
from warehouse.count.inputs import FILE, KEY


def pieces(held: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame, most: int) -> pd.DataFrame:
    """`held` in the order of its keys with `piece`, numbered from 0: the same for all rows of a record, a file, a case, a person.

    held   institution, entity (case or person: what record_key names; a number may name both), record_key, case_key, rows (how many rows of
           all tables have these keys), of every state of every record
    cases, persons  ids of records as in `CountInputs`; a record without one is tied by its keys alone (no run publishes such)
    most   about how many rows a piece holds; a group that is larger is a piece by itself
    The same records give the same pieces, whatever their ids and their order.
    """
    held = held.sort_values([*KEY, "entity", "case_key"], ignore_index=True)
    case = _id(held, "case_key", cases, "case_id").fillna(_id(held, "record_key", cases, "case_id"))
    person = _id(held, "record_key", persons, "person_id").where(held["entity"] == "person")
    files, *ties = (
        held.groupby(FILE, sort=False).ngroup().to_numpy(),
        held.groupby([*KEY, "entity"], sort=False).ngroup().to_numpy(),
        pd.factorize(case)[0],
        pd.factorize(person)[0],
    )
    nodes, ends = int(files.max(initial=-1)) + 1, []
    for tie in ties:
        ends.append(np.stack([files, nodes + tie])[:, tie >= 0])
        nodes += int(tie.max(initial=-1)) + 1
    group = components(nodes, *np.concatenate(ends, axis=1))[files]
    rows = held.groupby(group, sort=False)["rows"].sum()  # in the order in which the groups first appear
    begins = pd.Series((rows.cumsum() - rows).to_numpy() // most, index=rows.index)
    return held.assign(piece=pd.factorize(begins.reindex(group).to_numpy())[0])


def _id(held: pd.DataFrame, key: str, ids: pd.DataFrame, column: str) -> pd.Series:
    known = ids.drop_duplicates(KEY, keep="last").set_index(KEY)[column]
    return pd.Series(known.reindex(pd.MultiIndex.from_frame(held[["institution", key]])).array, index=held.index)
