"""Select the rows of the published stores that a role may see. Files for a role are made from these rows, and tests compare a server with
them.

Belongs here: choosing rows. Does not belong here: which role sees what (`roles.yaml`), pseudonyms (`warehouse/stores`).
"""

from __future__ import annotations

import pandas as pd

from warehouse import tables
from warehouse.access.matrix import ALL, OWN, Role
from warehouse.loading import rows_as_frame
from warehouse.stores import STORES, Stores


def visible_tables(role: Role, stores: Stores) -> dict[str, pd.DataFrame]:
    """Return the rows and columns that `role` may read without a request, by table. Tables that it may not read are absent."""
    visible: dict[str, pd.DataFrame] = {}
    for table in tables.stored_tables(STORES[role.store]):
        rows = role.visible_rows(role.store, table)
        if rows not in (ALL, OWN):
            continue
        frame = rows_as_frame(stores[role.store][table.name])[role.readable_columns(role.store, table)]
        visible[table.name] = frame if rows == ALL else frame[frame["institution"] == role.institution].reset_index(drop=True)
    return visible
