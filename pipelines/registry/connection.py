"""Opening the registry: engine, transactions, migrations.

Belongs here: what SQLite and PostgreSQL need to behave alike, and database errors as lines that a person can act on.
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

from pipelines.errors import HarmoniaError, TransientError
from pipelines.points import Point, reached
from pipelines.registry import seal

VERSION_TABLE = "registry_version"  # Dagster keeps its own `alembic_version`, maybe in the same database
_WAIT = 30  # seconds that SQLite waits for another writer


@dataclass(frozen=True)
class Registry:
    """An open, migrated registry."""

    engine: Engine
    sessions: sessionmaker[Session]

    @property
    def place(self) -> str:
        """Where it is, for messages; never with a password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One writing transaction: all of it is kept and sealed, or nothing. Raises `HarmoniaError` where the database refuses."""
        with _told(self.place), self.sessions.begin() as session:
            seal.begin(session)
            yield session
            seal.add(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One reading transaction, which waits for no writer. Raises `HarmoniaError` where the database refuses."""
        with _told(self.place), self.sessions(bind=self.engine.execution_options(reading=True)) as session:
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_registry(url: str) -> Registry:
    """Open the registry at an SQLAlchemy URL (SQLite or PostgreSQL), made or migrated to the newest form.

    Raises `HarmoniaError` where the URL is none, the database cannot be reached, is none, or is newer than this program.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(parsed.get_backend_name())
        engine = create_engine(parsed, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        raise HarmoniaError(
            "the registry URL is not understood: give sqlite:////path/registry.sqlite or postgresql://user@host/database "
            "with --registry-url (or HARMONIA_REGISTRY_URL)"
        ) from None
    if engine.dialect.name == "sqlite":
        _behave(engine)
    registry = Registry(engine, sessionmaker(engine, expire_on_commit=False))
    with _told(registry.place):
        _migrate(engine, registry.place)
    return registry


def _behave(engine: Engine) -> None:
    """Make SQLite private and durable, and its transactions real: Python's driver would begin them late and never around DDL."""
    database = engine.url.database
    if database and not database.startswith((":memory:", "file:")):
        with suppress(OSError):  # it is there already, or SQLite will say why it cannot be
            os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout = {_WAIT * 1000}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _migrate(engine: Engine, place: str) -> None:
    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    with engine.execution_options(reading=True).connect() as connection:
        if _revision(connection) == head:
            return
    with engine.begin() as connection:
        revision = _revision(connection)  # again: another process may have been faster
        if revision == head:
            return
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if revision is not None and revision not in known:
            raise HarmoniaError(f"registry {place} was made by a newer Harmonia (revision {revision}): update this one")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        reached(Point.REGISTRY_MIGRATED)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Database errors as one line with the way out. The driver's text is left out: it may hold values."""
    try:
        yield
    except (IntegrityError, ProgrammingError, DataError):
        raise  # an error of this program
    except DBAPIError as error:
        way_out, passing = _way_out(error)
        raise (TransientError if passing else HarmoniaError)(f"registry {place}: {way_out}") from error


def _way_out(error: DBAPIError) -> tuple[str, bool]:
    """What to do, and whether waiting may be enough."""
    said = str(error.orig).lower()
    for words, way_out in (
        ("full", "the disk is full; make room, then run again"),
        ("disk i/o", "the disk is full or reports an error; make room or check it, then run again"),
        ("locked", "another process writes to it; wait until it has ended, then run again"),
        ("readonly", "it cannot be written; check the permissions of the file and its folder"),
        ("unable to open", "it cannot be opened; check that the folder exists and may be written"),
        ("not a database", "the file is no registry; restore it from a backup, or move it away to begin anew"),
        ("malformed", "the file is damaged; restore it from a backup"),
    ):
        if isinstance(error.orig, sqlite3.Error) and words in said:
            return way_out, words == "locked"
    if error.connection_invalidated or "connect" in said:
        return "the database server does not answer; check that it runs and that the URL is right, then run again", True
    return f"the database refuses ({type(error.orig).__name__}); check that it is sound and may be written, then run again", False
