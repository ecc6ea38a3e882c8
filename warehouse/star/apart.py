"""Which records must be counted together, so that the others can be counted apart from them.

Belongs here: finding groups of cases that share persons, knowing them again, and putting them into pieces of about one size. Does not
belong here: counting.

What counting makes of a case hangs on the records of the case and on the other cases of its persons (a person counts once), and on nothing
else (`warehouse.star.build.of_cases`). So cases that persons tie stand in one piece; where many hang together by persons who come again,
their piece is as large as they are. And a group that holds what it held before (`print`) comes to what it came to before.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.linkage.cluster import components
from pipelines.linkage.hashing import hashes, mixed, summed
from warehouse.count.inputs import FILE, KEY

_ENTITY = [*KEY, "entity"]


def groups(held: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """`held` in the order of its keys with case_id, person_id, and `group`, numbered from 0: the same for all rows of a record, a file, a
    case, a person; `print` becomes that of the group: the same only where all its records and ids are.

    held   of `prints.printed`
    cases, persons  ids of records as in `CountInputs`; a record without one is tied by its keys alone (no run publishes such)
    The same records give the same groups, whatever their ids and their order.
    """
    held = held.sort_values([*_ENTITY, "case_key"], ignore_index=True)
    held["case_id"] = _id(held, "case_key", cases, "case_id").fillna(_id(held, "record_key", cases, "case_id"))
    held["person_id"] = _id(held, "record_key", persons, "person_id").where(held["entity"] == "person")
    files, *ties = (
        held.groupby(FILE, sort=False).ngroup().to_numpy(),
        held.groupby(_ENTITY, sort=False).ngroup().to_numpy(),
        pd.factorize(held["case_id"])[0],
        pd.factorize(held["person_id"])[0],
    )
    nodes, ends = int(files.max(initial=-1)) + 1, []
    for tie in ties:
        ends.append(np.stack([files, nodes + tie])[:, tie >= 0])
        nodes += int(tie.max(initial=-1)) + 1
    group = pd.factorize(components(nodes, *np.concatenate(ends, axis=1))[files])[0]  # in the order in which they first appear
    of_row = mixed(held["print"].to_numpy(), hashes(held[[*_ENTITY, "case_key", "case_id", "person_id"]]))
    prints = summed(int(group.max(initial=-1)) + 1, group, of_row)
    return held.assign(group=group, print=prints[group])


def pieces(grouped: pd.DataFrame, most: int) -> pd.Series:
    """The piece of each row of `groups` (or of some whole groups of it), numbered from 0.

    most   about how many rows of all tables a piece holds; a group that is larger is a piece by itself
    """
    rows = grouped.groupby("group", sort=False)["rows"].sum()
    begins = pd.Series((rows.cumsum() - rows).to_numpy() // most, index=rows.index)
    return pd.Series(pd.factorize(begins.reindex(grouped["group"]).to_numpy())[0], index=grouped.index)


def _id(held: pd.DataFrame, key: str, ids: pd.DataFrame, column: str) -> pd.Series:
    known = ids.drop_duplicates(KEY, keep="last").set_index(KEY)[column]
    return pd.Series(known.reindex(pd.MultiIndex.from_frame(held[["institution", key]])).array, index=held.index)
