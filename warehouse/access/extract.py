"""Write the tables and rows that a role may see to a separate DuckDB file. This is for installations without a PostgreSQL server.

Belongs here: reading a home and writing the file. Does not belong here: which rows a role sees (`warehouse/access/visible_rows`).
"""

from __future__ import annotations

import os
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors
from warehouse import tables
from warehouse.access.matrix import ALL, Role, find_role_by_name, roles
from warehouse.access.visible_rows import select_rows_visible_to_role
from warehouse.publish import build_store_file
from warehouse.reading import open_publication
from warehouse.stores import STORES


def find_role(name: str) -> Role:
    """Return the role called `name`. Raises `HarmoniaError` if there is none."""
    declared = find_role_by_name(name)
    if declared is None:
        raise HarmoniaError(
            f"there is no role {name}: {', '.join(existing.name for existing in roles())}; the public has no role, see releases"
        )
    return declared


def write_visible_tables_to_file(home: Path, role: Role, target: Path) -> dict[str, int]:
    """Write what the role `role` may see of a published home to the new file `target`, which only its owner can read.

    Returns the number of rows of each table.

    Raises `HarmoniaError` if nothing is published, or the file exists or cannot be written.
    """
    if target.exists():
        raise HarmoniaError(f"{target} already exists: remove it, or name another file")
    with open_publication(home, role.store) as connection:
        stored = {table.name: connection.table(table.name).df() for table in tables.list_declared_tables_except_views(STORES[role.store])}
    frames = select_rows_visible_to_role(role, {role.store: stored})
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        views = [view for view in tables.list_declared_views(STORES[role.store]) if role.visible_rows(role.store, view) == ALL]
        build_store_file(
            temporary,
            [*(tables.copy_table_with_columns(STORES[role.store].tables[name], frame.columns) for name, frame in frames.items()), *views],
            frames,
        )
        with convert_storage_errors(target):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return {name: len(frame) for name, frame in frames.items()}
