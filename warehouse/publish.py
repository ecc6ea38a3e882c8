"""Publish the stores as DuckDB files in the home. Each publication has its own folder; a pointer names the current one.

Belongs here: creating tables, loading rows, permissions of the files, replacing the pointer. Does not belong here: the content of the
tables (`warehouse/count`), the definition of a store (`warehouse/stores`), reading stores (`warehouse/reading`), public releases (they are
not views of these tables).

`warehouse.duckdb`  exact figures and record keys, no names, no personal numbers (mode 0600: confidential)
`analysts.duckdb`   the same with keyed pseudonyms instead of record keys (mode 0640)
`identity.duckdb`   names and numbers of the person records, for stewards (mode 0600)
The three are in `published/<number>/`; `published/current` contains the current number and is replaced atomically, so that readers who
follow it see three files of one publication. The same files have plain names in the home (hard links, or copies if the file system has
none). The previous folder is kept for readers that are about to open it. The pointer changes only when all files are complete: a failure
before that changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable, ExecutableDDLElement, SetColumnComment, SetTableComment

from harmonia.atomic_files import link_or_copy_file, make_temporary_path, replace_large_file, sync_to_disk
from harmonia.errors import HarmoniaError, convert_storage_errors
from warehouse import tables
from warehouse.loading import Rows, compute_batches_ahead, iterate_batches_with_declared_types, register_table
from warehouse.stores import ANALYSTS, STORES, WAREHOUSE, Stores

FOLDER, POINTER = "published", "current"
MEMORY_LIMIT = "500MB"
"""The memory that DuckDB may use while a file is built; what does not fit is written to a temporary file beside it until the commit."""
GROUP_READABLE = 0o640
"""The file permissions of the analysts' file: the group of the home may read it."""


def create_statements(declared: Iterable[Table]) -> list[str]:
    """Return the CREATE and COMMENT statements, first of the tables, then of the views. They are written for PostgreSQL; DuckDB accepts
    them too."""
    statements = []
    for table in tables.sort_tables_for_creation(declared):
        comment, view = _compile_statement(SetTableComment(table)), table.info.get("view")
        if view:
            statements += [f'CREATE VIEW "{table.name}" AS {view}', comment.replace("COMMENT ON TABLE", "COMMENT ON VIEW", 1)]
        else:
            statements += [_compile_statement(CreateTable(table)), comment]
        statements += [_compile_statement(SetColumnComment(column)) for column in table.columns if column.comment]
    return statements


def _compile_statement(statement: ExecutableDDLElement) -> str:
    return str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))


@contextlib.contextmanager
def _create_files_readable_by_owner_only() -> Iterator[None]:
    """Make sure that only the current user can read the files that are created in the `with` block, including the database's log."""
    previous_mask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(previous_mask)


def _load_rows(connection: duckdb.DuckDBPyConnection, table: Table, rows: Rows) -> int:
    """Insert `rows` into their table; return their number.

    They are inserted by one statement, since DuckDB keeps rows in memory until the commit if several statements insert them.
    """
    if isinstance(rows, ds.FileSystemDataset):
        register_table(connection, "incoming", rows)
    else:
        batches = (batch for part in iterate_batches_with_declared_types(table, rows) for batch in part.to_batches())
        connection.register("incoming", pa.RecordBatchReader.from_batches(tables.arrow_schema(table), compute_batches_ahead(batches)))
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    (number,) = connection.execute(f'INSERT INTO "{table.name}" SELECT {columns} FROM incoming').fetchall()[0]
    connection.execute("DROP VIEW incoming")
    return int(number)


def build_store_file(target: Path, declared: Sequence[Table], frames: Mapping[str, Rows]) -> dict[str, int]:
    """Write a new DuckDB file `target` with the tables and views `declared`, readable only by its owner.

    frames: the rows of each table, by name. Returns the number of rows of each table.

    Raises `HarmoniaError` if the file cannot be written (full disk, no permission).
    """
    try:
        with _create_files_readable_by_owner_only(), duckdb.connect(str(target)) as connection:
            # One thread preserves the order of rows in full row groups; each store is built in a separate thread.
            connection.execute(f"SET threads = 1; SET memory_limit = '{MEMORY_LIMIT}'")
            connection.begin()  # one transaction: otherwise each of hundreds of statements would wait for the disk
            for statement in create_statements(declared):
                connection.execute(statement)
            rows = {table.name: _load_rows(connection, table, frames[table.name]) for table in declared if "view" not in table.info}
            connection.commit()
            return rows
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise HarmoniaError(
            f"{target}: could not be built ({type(error).__name__}): free disk space or grant permission, then run again"
        ) from error


def _build_stores(stores: Stores, folder: Path) -> dict[str, dict[str, int]]:
    """Write the file of every store into `folder`, in parallel. Return the number of rows of each table, by store and table."""
    rows = {}
    with _create_files_readable_by_owner_only(), ThreadPoolExecutor() as pool:
        builds = {
            name: pool.submit(build_store_file, folder / f"{name}.duckdb", metadata.sorted_tables, stores[name])
            for name, metadata in STORES.items()
        }
        for name, running in builds.items():
            rows[name] = running.result()
    return rows


def list_publication_numbers(folder: Path) -> list[int]:
    """Return the numbers of the publications in `folder`, in ascending order."""
    return sorted(int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit())


def publish_stores(stores: Stores, home: Path, before_swap: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Write every store into a new folder of `home`, then make that folder the current publication. The caller must hold the run lock.

    before_swap: a function that is called when all files are complete, before the pointer changes. If it raises an error, nothing is
    published. Returns the number of rows of each table of the warehouse. Raises `HarmoniaError` if a file cannot be written.
    """
    folder = home / FOLDER
    with convert_storage_errors(folder):
        folder.mkdir(exist_ok=True)
        for leftover in folder.glob(".*.tmp"):  # of killed runs: an incomplete publication, or a pointer not yet in place
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        number = max(list_publication_numbers(folder), default=0) + 1
        unfinished = folder / f".{number}.tmp"
        unfinished.mkdir()
    try:
        rows = _build_stores(stores, unfinished)
        with convert_storage_errors(unfinished):
            (unfinished / f"{ANALYSTS}.duckdb").chmod(GROUP_READABLE)
            for file in (*unfinished.iterdir(), unfinished):
                sync_to_disk(file)
        before_swap()
        with convert_storage_errors(folder):
            unfinished.rename(folder / str(number))
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _make_publication_current(home, folder, number)
    return rows[WAREHOUSE]


def remove_previous_publications(home: Path) -> None:
    """Remove the folders of all publications except the newest one. The caller must hold the run lock."""
    with convert_storage_errors(home / FOLDER):
        for number in list_publication_numbers(home / FOLDER)[:-1]:
            shutil.rmtree(home / FOLDER / str(number))


def _make_publication_current(home: Path, folder: Path, number: int) -> None:
    """Make publication `number` the current one, link its files under their plain names in the home, and delete all older publications
    except the previous one."""
    pointer = make_temporary_path(folder / POINTER)
    with convert_storage_errors(folder):
        pointer.write_text(f"{number}\n")
    replace_large_file(pointer, folder / POINTER)
    for name in STORES:
        target = home / f"{name}.duckdb"
        linked = make_temporary_path(target)
        with convert_storage_errors(target):
            link_or_copy_file(folder / str(number) / target.name, linked)
        replace_large_file(linked, target)
    with convert_storage_errors(folder):
        for old in list_publication_numbers(folder)[:-2]:
            shutil.rmtree(folder / str(old))
