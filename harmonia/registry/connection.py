"""Open the registry: connect to its database, create or migrate its tables, begin and end transactions.

Belongs here: settings that make SQLite and PostgreSQL behave alike, conversion of database errors to one line with a remedy.
Does not belong here: queries.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, NoSuchModuleError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from harmonia.errors import HarmoniaError, TransientError
from harmonia.registry import seal

VERSION_TABLE = "registry_version"  # Dagster uses `alembic_version`, possibly in the same database
_BUSY_TIMEOUT = 30  # seconds that SQLite waits for another writer


@dataclass(frozen=True)
class Registry:
    """An open registry whose tables have the newest structure. It provides read and write transactions."""

    engine: Engine
    sessions: sessionmaker[Session]

    @property
    def shown_url(self) -> str:
        """Return the URL of the database without its password, for messages."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a write transaction. It is committed with a seal over its rows, or rolled back if an error is raised within it.

        Raises `HarmoniaError` if the database reports an error.
        """
        with _convert_database_errors(self.shown_url), self.sessions.begin() as session:
            seal.lock_registry_for_writing(session)
            yield session
            seal.add_seal(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a read transaction, which never waits for a writer. Raises `HarmoniaError` if the database reports an error."""
        with _convert_database_errors(self.shown_url), self.sessions(bind=self.engine.execution_options(reading=True)) as session:
            yield session

    def close(self) -> None:
        """Close all connections to the database."""
        self.engine.dispose()


def open_registry(url: str) -> Registry:
    """Open the registry at an SQLAlchemy URL (SQLite or PostgreSQL), and create or migrate its tables if needed.

    Raises `HarmoniaError` if the URL is invalid, or the database cannot be reached, is not a registry, or is newer than this program.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(parsed.get_backend_name())
        engine = create_engine(parsed, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        raise HarmoniaError(
            "the registry URL is invalid: use sqlite:////path/registry.sqlite or postgresql://user@host/database "
            "with --registry-url (or HARMONIA_REGISTRY_URL)"
        ) from None
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    registry = Registry(engine, sessionmaker(engine, expire_on_commit=False))
    with _convert_database_errors(registry.shown_url):
        _migrate_schema(engine, registry.shown_url)
    return registry


def _configure_sqlite(engine: Engine) -> None:
    """Configure SQLite so that only the owner can read the file, commits are durable, and transactions begin explicitly.

    Python's driver would begin a transaction only at the first change of a row, and never for a change of a table.
    """
    database = engine.url.database
    if database and not database.startswith((":memory:", "file:")):
        with suppress(OSError):  # it exists, or SQLite will report the error
            os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine, "connect")
    def configure_connection(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout = {_BUSY_TIMEOUT * 1000}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _migrate_schema(engine: Engine, shown_url: str) -> None:
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.execution_options(reading=True).connect() as connection:
        if _read_schema_revision(connection) == head:
            return
    with engine.begin() as connection:
        revision = _read_schema_revision(connection)  # again: another process may have migrated
        if revision == head:
            return
        known_revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if revision is not None and revision not in known_revisions:
            raise HarmoniaError(f"registry {shown_url} was created by a newer Harmonia (revision {revision}): update this one")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _read_schema_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


@contextmanager
def _convert_database_errors(shown_url: str) -> Iterator[None]:
    """Convert database errors to `HarmoniaError`, with a remedy in one line.

    The driver's message is left out, since it may contain values.
    """
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise  # a programming error
    except DBAPIError as error:
        remedy, transient = _explain_database_error(error)
        raise (TransientError if transient else HarmoniaError)(f"registry {shown_url}: {remedy}") from error


def _explain_database_error(error: DBAPIError) -> tuple[str, bool]:
    """Return a text with the problem and its remedy, and whether the error is transient, so that another attempt may succeed."""
    message = str(error.orig).lower()
    for words, remedy in (
        ("full", "the disk is full; make room, then run again"),
        ("disk i/o", "the disk is full or reports an error; make room or check it, then run again"),
        ("locked", "another process is writing to it; wait until it has ended, then run again"),
        ("readonly", "it is read-only; check the permissions of the file and its folder"),
        ("unable to open", "it cannot be opened; check that the folder exists and may be written"),
        ("not a database", "the file is not a registry; restore it from a backup, or move it away to start with an empty one"),
        ("malformed", "the file is damaged; restore it from a backup"),
    ):
        if isinstance(error.orig, sqlite3.Error) and words in message:
            return remedy, words == "locked"
    if error.connection_invalidated or "connect" in message:
        return "the database server does not answer; check that it runs and that the URL is right, then run again", True
    return f"database error ({type(error.orig).__name__}); check that the database is intact and writable, then run again", False
