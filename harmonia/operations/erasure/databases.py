"""Search databases outside the home for a person: the registry and the warehouse on a server.

Does not belong here: files of the home, matching (`search`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from sqlalchemy import select

from harmonia.operations.erasure.person import PersonToErase
from harmonia.operations.erasure.search import frame_contains_person
from harmonia.registry import open_registry
from harmonia.registry.tables import Base
from pipelines.resources.workplace import Workplace
from warehouse import postgres
from warehouse.stores import STORES

_BATCH_ROWS = 50_000


def find_tables_naming_person(workplace: Workplace, person: PersonToErase) -> list[str]:
    """Return the names of the tables that contain the person. The list is empty if registry and warehouse are files of the home.

    Only visible rows are searched. The server itself clears old versions of rows and its write-ahead log (docs/reference/governance.md).
    """
    tables = [
        f"registry, table {name}" for name, frame in _read_registry_batches(workplace.registry_url) if frame_contains_person(frame, person)
    ]
    tables += [
        f"warehouse, table {name}"
        for name, frame in _read_warehouse_batches(workplace.warehouse_url)
        if frame_contains_person(frame, person)
    ]
    return list(dict.fromkeys(tables))


def _read_registry_batches(url: str | None) -> Iterator[tuple[str, pd.DataFrame]]:
    if url is None:
        return
    registry = open_registry(url)
    try:
        with registry.read() as session:
            for table in Base.metadata.sorted_tables:
                rows = session.execute(select(table)).mappings()
                while part := rows.fetchmany(_BATCH_ROWS):
                    yield table.name, pd.DataFrame([dict(row) for row in part])
    finally:
        registry.close()


def _read_warehouse_batches(url: str | None) -> Iterator[tuple[str, pd.DataFrame]]:
    for schema in STORES if url else ():
        for table, rows in postgres.read_tables(str(url), schema):
            for part in rows.to_batches(_BATCH_ROWS):
                yield f"{schema}.{table.name}", part.to_pandas()
