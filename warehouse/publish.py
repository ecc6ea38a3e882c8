"""Writing the published tables: three DuckDB files in the home, each built fresh beside the old one and swapped in whole.

Belongs here: the DDL, loading, pseudonyms, file modes, the swap. Does not belong here: what is in the tables (`warehouse/count`), releases
to the public (they are no view of these tables).

`warehouse.duckdb`  exact figures and record keys, no names, no personal numbers (mode 0600: confidential)
`analysts.duckdb`   the same with keyed pseudonyms in place of record keys (mode 0640)
`identity.duckdb`   names and numbers behind the person records, for stewards (mode 0600)

All three are finished before the first is swapped in: what fails on the way leaves the old ones as they were.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable, ExecutableDDLElement, SetColumnComment, SetTableComment

from pipelines.errors import HarmoniaError, storage
from pipelines.swap import swap_in, temporary
from warehouse import tables

SECRET = "pseudonym.key"  # noqa: S105 (the file's name)
SECRET_BYTES = 32
PSEUDONYM_HEX = 32
PRIVATE = 0o600
SHARED = 0o640
"""Of the analysts' file: the group of the home may read it."""


def ddl(metadata: MetaData) -> list[str]:
    """CREATE TABLE and COMMENT statements of `metadata` in PostgreSQL's words, which DuckDB takes as they are."""
    dialect = postgresql.dialect()
    out = []
    for table in metadata.sorted_tables:
        comments = [SetColumnComment(column) for column in table.columns if column.comment]
        statements: list[ExecutableDDLElement] = [CreateTable(table), SetTableComment(table), *comments]
        out += [str(s.compile(dialect=dialect, compile_kwargs={"literal_binds": True})) for s in statements]
    return out


def people(canonical: Mapping[str, pd.DataFrame], cases: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """The rows of `identity.persons`: every accepted person record with its ids.

    canonical  tables of schemas.canonical; cases: institution, record_key, case_id; persons: institution, record_key, person_id
    """
    records = canonical["person_records"]
    out = records[records["status"] == "accepted"]
    out = out.merge(persons.drop_duplicates(["institution", "record_key"]), on=["institution", "record_key"], how="left")
    files = cases.drop_duplicates(["institution", "record_key"]).rename(columns={"record_key": "case_key"})
    return tables.conform(tables.PERSONS, out.merge(files, on=["institution", "case_key"], how="left"))


def secret(home: Path) -> bytes:
    """The key of the pseudonyms, kept in the home (mode 0600) and made on first use: the same record keeps its pseudonym from run to run.

    Raises `HarmoniaError` where the file cannot be read, or is no such key.
    """
    path = home / SECRET
    with storage(path):
        with contextlib.suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
            with os.fdopen(file, "wb") as out:
                out.write(secrets.token_bytes(SECRET_BYTES))
        key = path.read_bytes()
        if path.stat().st_mode & 0o077:
            path.chmod(PRIVATE)
    if len(key) != SECRET_BYTES:
        raise HarmoniaError(
            f"{path}: holds {len(key)} bytes where a key of {SECRET_BYTES} should be; restore it from a copy, "
            "or remove it (analysts then see new pseudonyms)"
        )
    return key


def pseudonyms(institutions: pd.Series, keys: pd.Series, key: bytes) -> pd.Series:
    """A keyed pseudonym (HMAC-SHA256, 128 bits, hex) for each record key of an institution; null stays null."""
    named = institutions.fillna("") + "\0" + keys
    distinct = named.dropna().unique()
    made = {text: hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest()[:PSEUDONYM_HEX] for text in distinct}
    return named.map(made).astype("str")


def for_analysts(published: Mapping[str, pd.DataFrame], key: bytes) -> dict[str, pd.DataFrame]:
    """The published tables with pseudonyms in every column that `tables` marks as record key."""
    out = {}
    for name, frame in published.items():
        whose = tables.key_columns(tables.WAREHOUSE.tables[name])
        hidden = {column: pseudonyms(frame[of], frame[column], key) for column, of in whose.items()}
        out[name] = frame.assign(**hidden)
    return out


@contextlib.contextmanager
def _for_this_user_alone() -> Iterator[None]:
    """Files made in the block (also the database's log) can be read by the running user alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _load(connection: duckdb.DuckDBPyConnection, table: Table, frame: pd.DataFrame) -> None:
    """Put `frame` into its table by Arrow, in the order of its columns."""
    rows = pa.Table.from_pandas(tables.conform(table, frame), schema=tables.arrow_schema(table), preserve_index=False)
    connection.register("incoming", rows)
    connection.execute(f'INSERT INTO "{table.name}" SELECT * FROM incoming')
    connection.unregister("incoming")


def build(target: Path, metadata: MetaData, frames: Mapping[str, pd.DataFrame]) -> Path:
    """A finished DuckDB file beside `target` with every table of `metadata`; its path, for `swap_in`.

    Raises `HarmoniaError` where it cannot be written (a full disk, no permission).
    """
    made = temporary(target)
    try:
        with _for_this_user_alone(), duckdb.connect(str(made)) as connection:
            for statement in ddl(metadata):
                connection.execute(statement)
            for table in metadata.sorted_tables:
                _load(connection, table, frames[table.name])
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        made.unlink(missing_ok=True)
        raise HarmoniaError(
            f"{target}: could not be built ({type(error).__name__}): make room or give permission, then run again"
        ) from error
    return made


def publish(published: Mapping[str, pd.DataFrame], identity: pd.DataFrame, home: Path) -> dict[str, int]:
    """Build and swap in `warehouse.duckdb`, `analysts.duckdb` and `identity.duckdb` in `home`.

    published  every table of `warehouse.count.count`; identity: of `people`
    Out: rows by table of the warehouse. Raises `HarmoniaError`; the published files are then as before.
    """
    hidden = for_analysts(published, secret(home))
    files = {
        home / "identity.duckdb": (tables.IDENTITY, {"persons": identity}),
        home / "analysts.duckdb": (tables.WAREHOUSE, hidden),
        home / "warehouse.duckdb": (tables.WAREHOUSE, published),
    }
    made: dict[Path, Path] = {}
    try:
        for target, (metadata, frames) in files.items():
            made[target] = build(target, metadata, frames)
        with storage(home):
            made[home / "analysts.duckdb"].chmod(SHARED)
        for target, finished in made.items():
            swap_in(finished, target)
    finally:
        for left in made.values():
            left.unlink(missing_ok=True)
    return {name: len(frame) for name, frame in published.items()}
