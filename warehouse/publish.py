"""Writing the stores as DuckDB files in the home: each publishing whole, in a folder of its own, shown by a pointer.

Belongs here: the DDL, loading, file modes, the swap. Does not belong here: what is in the tables (`warehouse/count`), what a store is
(`warehouse/stores`), reading them (`warehouse/reading`), releases to the public (they are no view of these tables).

`warehouse.duckdb`  exact figures and record keys, no names, no personal numbers (mode 0600: confidential)
`analysts.duckdb`   the same with keyed pseudonyms in place of record keys (mode 0640)
`identity.duckdb`   names and numbers behind the person records, for stewards (mode 0600)

The three lie in `published/<number>/`; `published/current` holds the number that stands, replaced in one step, so that whoever goes by it
sees three files of one publishing. The same files stand under their plain names in the home (hard links, or copies where the file system
has none). The folder before the current one is kept for readers that are about to open it. All is finished before anything is shown: what
fails on the way leaves everything as it was.
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

from pipelines.errors import HarmoniaError, storage
from pipelines.points import Point, reached
from pipelines.swap import share, swap_in, sync, temporary
from warehouse import tables
from warehouse.loading import Rows, ahead, parts, show
from warehouse.stores import ANALYSTS, STORES, WAREHOUSE, Stores

FOLDER, POINTER = "published", "current"
HELD = "500MB"
"""Of a file that is being built; what is more lies beside it until all is committed."""
SHARED = 0o640
"""Of the analysts' file: the group of the home may read it."""


def ddl(declared: Iterable[Table]) -> list[str]:
    """CREATE and COMMENT statements of tables, then views, in PostgreSQL's words, which DuckDB takes as they are."""
    out = []
    for table in tables.makeable(declared):
        comment, view = _said(SetTableComment(table)), table.info.get("view")
        if view:
            out += [f'CREATE VIEW "{table.name}" AS {view}', comment.replace("COMMENT ON TABLE", "COMMENT ON VIEW", 1)]
        else:
            out += [_said(CreateTable(table)), comment]
        out += [_said(SetColumnComment(column)) for column in table.columns if column.comment]
    return out


def _said(statement: ExecutableDDLElement) -> str:
    return str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))


@contextlib.contextmanager
def _for_this_user_alone() -> Iterator[None]:
    """Files made in the block (also the database's log) can be read by the running user alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _load(connection: duckdb.DuckDBPyConnection, table: Table, rows: Rows) -> int:
    """Put `rows` into their table, in the order of its columns; returns how many.

    In one statement: rows inserted by several lie in memory until all is committed.
    """
    if isinstance(rows, ds.FileSystemDataset):
        show(connection, "incoming", rows)
    else:
        batches = (batch for part in parts(table, rows) for batch in part.to_batches())
        connection.register("incoming", pa.RecordBatchReader.from_batches(tables.arrow_schema(table), ahead(batches)))
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    (number,) = connection.execute(f'INSERT INTO "{table.name}" SELECT {columns} FROM incoming').fetchall()[0]
    connection.execute("DROP VIEW incoming")
    return int(number)


def build(target: Path, declared: Sequence[Table], frames: Mapping[str, Rows]) -> dict[str, int]:
    """Write a new DuckDB file `target` with the tables and views `declared`, for its owner alone; returns the rows by table.

    Raises `HarmoniaError` where it cannot be written (a full disk, no permission).
    """
    try:
        with _for_this_user_alone(), duckdb.connect(str(target)) as connection:
            # One thread keeps rows in their order, in full groups; each store is built in a thread of its own.
            connection.execute(f"SET threads = 1; SET memory_limit = '{HELD}'")
            connection.begin()  # one transaction: hundreds of statements, each of which the disk would be waited for
            for statement in ddl(declared):
                connection.execute(statement)
            rows = {table.name: _load(connection, table, frames[table.name]) for table in declared if "view" not in table.info}
            connection.commit()
            return rows
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise HarmoniaError(
            f"{target}: could not be built ({type(error).__name__}): make room or give permission, then run again"
        ) from error


def _built(stores: Stores, folder: Path) -> dict[str, dict[str, int]]:
    """Write the file of every store into `folder`, side by side: the rows by table of each."""
    rows = {}
    with _for_this_user_alone(), ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(build, folder / f"{name}.duckdb", metadata.sorted_tables, stores[name]) for name, metadata in STORES.items()
        }
        for name, made in waiting.items():
            rows[name] = made.result()
            reached(Point.FILE_BUILT)
    return rows


def numbers(folder: Path) -> list[int]:
    """Numbers of the publishings that lie in `folder`, ascending."""
    return sorted(int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit())


def publish(stores: Stores, home: Path, meanwhile: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Write every store into a new folder of `home`, then show it. Call it under the run lock.

    meanwhile  called when all files are finished and none is shown yet; what it raises leaves the published files as they were
    Out: rows by table of the warehouse. Raises `HarmoniaError`.
    """
    folder = home / FOLDER
    with storage(folder):
        folder.mkdir(exist_ok=True)
        for left in folder.glob(".*.tmp"):  # of killed runs: half a publishing, or a pointer not yet in place
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        number = max(numbers(folder), default=0) + 1
        made = folder / f".{number}.tmp"
        made.mkdir()
    try:
        rows = _built(stores, made)
        with storage(made):
            (made / f"{ANALYSTS}.duckdb").chmod(SHARED)
            for file in (*made.iterdir(), made):
                sync(file)
        meanwhile()
        with storage(folder):
            made.rename(folder / str(number))
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _show(home, folder, number)
    return rows[WAREHOUSE]


def _show(home: Path, folder: Path, number: int) -> None:
    """Point to publishing `number`, give its files their plain names, let go of all but the one before."""
    before = temporary(folder / POINTER)
    with storage(folder):
        before.write_text(f"{number}\n")
    swap_in(before, folder / POINTER)
    for name in STORES:
        target = home / f"{name}.duckdb"
        linked = temporary(target)
        with storage(target):
            share(folder / str(number) / target.name, linked)
        swap_in(linked, target)
    with storage(folder):
        for old in numbers(folder)[:-2]:
            shutil.rmtree(folder / str(old))
