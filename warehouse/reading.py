"""Read published stores. A reader sees one publication completely, even if another one is published meanwhile.

Belongs here: opening the files of a publication, opening a transaction on PostgreSQL that sees one publication, a clear error if the stores
were published by another version of the program. Does not belong here: writing stores (`warehouse/publish`, `warehouse/postgres`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
from sqlalchemy import MetaData

from harmonia.errors import HarmoniaError
from warehouse.publish import FOLDER, POINTER
from warehouse.stores import STORES, WAREHOUSE

_TRIES, _PAUSE = 20, 0.05


def find_folder_of_current_publication(home: Path) -> Path:
    """Return the folder of the current publication: `home/published/<number>`, or `home` itself if there is no pointer."""
    with contextlib.suppress(OSError):
        return home / FOLDER / (home / FOLDER / POINTER).read_text().strip()
    return home


@contextlib.contextmanager
def open_publication(home: Path, *stores: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that reads one publication of `home`, even if another is published meanwhile.

    stores: names of `warehouse.stores.STORES`; by default only the warehouse. The first store is the main database, the others are attached
    under their names. Raises `HarmoniaError` if nothing is published, if a file cannot be read, or if its tables are those of another
    version of the program.
    """
    names = stores or (WAREHOUSE,)
    connection = _open_current_publication(home, names)
    try:
        for name in names:
            require_tables(connection, name, STORES[name])
        yield connection
    finally:
        connection.close()


def _open_current_publication(home: Path, names: tuple[str, ...]) -> duckdb.DuckDBPyConnection:
    """Open the stores `names` of the current publication. If its folder is deleted meanwhile, because two newer publications were made,
    start again."""
    for remaining in reversed(range(_TRIES)):
        folder = find_folder_of_current_publication(home)
        try:
            connection = duckdb.connect(str(folder / f"{names[0]}.duckdb"), read_only=True)
            for name in names[1:]:
                connection.execute(
                    f"ATTACH IF NOT EXISTS '{str(folder / name).replace(chr(39), chr(39) * 2)}.duckdb' AS {name} (READ_ONLY)"
                )
            return connection
        except duckdb.Error as error:
            gone = not all((folder / f"{name}.duckdb").exists() for name in names)
            if not gone or not remaining:
                why = "nothing is published there" if gone else f"cannot be read ({type(error).__name__})"
                raise HarmoniaError(f"{folder}: {why}; run `harmonia run --home {home}`, or name another home with --home") from error
            time.sleep(_PAUSE)
    raise AssertionError("unreachable")


def require_tables(connection: duckdb.DuckDBPyConnection, store: str, metadata: MetaData) -> None:
    """Raise `HarmoniaError` if a store lacks tables or columns that this version of the program declares."""
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_catalog = ? AND table_schema = 'main'"
    lacking = list_absent_columns(metadata, set(connection.execute(query, [store]).fetchall()))
    if lacking:
        raise HarmoniaError(make_message_of_outdated_tables(f"{store}.duckdb", lacking))


def list_absent_columns(metadata: MetaData, existing: set[tuple[str, str]]) -> list[str]:
    """Return the columns of `metadata`, as `table.column`, that are not in `existing`."""
    return [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if (table.name, column.name) not in existing
    ]


def make_message_of_outdated_tables(outdated: str, lacking: list[str]) -> str:
    """Return the error message about tables that another version of the program wrote. lacking: the columns that these tables lack."""
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"{outdated} was published by another version of Harmonia: it lacks {lacking[0]}{more}; `harmonia run` publishes it again"


@contextlib.contextmanager
def open_postgres_publication(url: str) -> Iterator[psycopg.Connection]:
    """Open a connection that reads one publication of a PostgreSQL warehouse, in one read-only transaction."""
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection
