"""Select the rows of the published stores that a role may see. Files for a role are made from these rows, and tests compare a server with
them.

Belongs here: choosing rows. Does not belong here: which role sees what (`roles.yaml`), pseudonyms (`warehouse/stores`).
"""

from __future__ import annotations

import pandas as pd

from warehouse import tables
from warehouse.access.matrix import ALL, OWN, Role
from warehouse.loading import convert_rows_to_frame
from warehouse.stores import STORES, Stores


def select_rows_visible_to_role(role: Role, stores: Stores) -> dict[str, pd.DataFrame]:
    """Return the rows and columns that `role` may read without a request, by table. Tables that it may not read are absent."""
    visible: dict[str, pd.DataFrame] = {}
    for table in tables.list_declared_tables_except_views(STORES[role.store]):
        rows = role.visible_rows(role.store, table)
        if rows not in (ALL, OWN):
            continue
        frame = convert_rows_to_frame(stores[role.store][table.name])[role.readable_columns(role.store, table)]
        visible[table.name] = frame if rows == ALL else frame[frame["institution"] == role.institution].reset_index(drop=True)
    return visible
