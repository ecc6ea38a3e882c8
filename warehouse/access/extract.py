"""Write what a role may see to a separate DuckDB file, for installations without a PostgreSQL server.

Belongs here: reading a home and writing the file. Does not belong here: which rows a role sees (`warehouse/access/visible_rows`).
"""

from __future__ import annotations

import os
from pathlib import Path

from harmonia.errors import HarmoniaError, storage
from warehouse import tables
from warehouse.access.matrix import ALL, Role, role, roles
from warehouse.access.visible_rows import visible_tables
from warehouse.publish import build_file
from warehouse.reading import open_publication
from warehouse.stores import STORES


def find_role(name: str) -> Role:
    """Return the role called `name`. Raises `HarmoniaError` if there is none."""
    declared = role(name)
    if declared is None:
        raise HarmoniaError(
            f"there is no role {name}: {', '.join(existing.name for existing in roles())}; the public has no role, see releases"
        )
    return declared


def extract_visible(home: Path, reader: Role, target: Path) -> dict[str, int]:
    """Write what the role `reader` may see of a published home to the new file `target`, which only its owner can read.

    Returns the number of rows of each table.

    Raises `HarmoniaError` if nothing is published, or the file exists or cannot be written.
    """
    if target.exists():
        raise HarmoniaError(f"{target} already exists: remove it, or name another file")
    with open_publication(home, reader.store) as connection:
        stored = {table.name: connection.table(table.name).df() for table in tables.stored_tables(STORES[reader.store])}
    frames = visible_tables(reader, {reader.store: stored})
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        views = [view for view in tables.declared_views(STORES[reader.store]) if reader.visible_rows(reader.store, view) == ALL]
        build_file(
            temporary,
            [*(tables.narrow_table(STORES[reader.store].tables[name], frame.columns) for name, frame in frames.items()), *views],
            frames,
        )
        with storage(target):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return {name: len(frame) for name, frame in frames.items()}
