"""Dagster's settings and storage in a home.

Belongs here: installing the shipped `dagster.yaml`, and faster writes to its SQLite files. Imports Dagster only where a run needs it, so
that commands start faster.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError, storage
from harmonia.home import Home

URL = "HARMONIA_DAGSTER_URL"
_DRIVER = "postgresql+psycopg2://"
_STORAGE = re.compile(r"^storage:", re.MULTILINE)
_ON_A_SERVER = f"""
# Dagster's history on PostgreSQL. The variable holds the URL, postgresql+psycopg2://user@host/database; a password belongs into ~/.pgpass.
storage:
  postgres:
    postgres_url:
      env: {URL}
"""


def install_dagster(home: Home) -> Path:
    """Put the shipped `dagster.yaml` into the home where there is none yet; returns the folder (`DAGSTER_HOME`).

    Where `HARMONIA_DAGSTER_URL` is set and no storage is named there, PostgreSQL is. Raises `HarmoniaError` where the settings name the
    variable and it is not set, or what is needed for it is not installed.
    """
    home.create()
    settings = home.dagster / "dagster.yaml"
    with storage(settings):
        if not settings.exists():
            shutil.copyfile(Path(__file__).parent / "dagster.yaml", settings)
        said = settings.read_text("utf-8")
        if os.environ.get(URL) and not _STORAGE.search(said):
            said += _ON_A_SERVER
            settings.write_text(said, "utf-8")
    if f"env: {URL}" in said:
        url = os.environ.get(URL)
        if not url:
            raise HarmoniaError(f"{settings} keeps Dagster's history in the database that {URL} names: set it, or remove `storage` there")
        if not url.startswith(_DRIVER):  # SQLAlchemy 2.1 takes psycopg 3 for postgresql://, dagster-postgres speaks to psycopg2
            raise HarmoniaError(f"{URL} must begin with {_DRIVER}: that is the driver of dagster-postgres")
        if find_spec("dagster_postgres") is None:
            raise HarmoniaError(f"{URL} needs `.venv/bin/uv sync --inexact --extra server` (dagster-postgres)")
    return home.dagster


@contextmanager
def quick_sqlite(folder: Path) -> Iterator[None]:
    """Let SQLite files under `folder` be written without waiting for the disk at every event, for the length of the block.

    Dagster makes an engine for every event, which compiles the same statements anew, opens and closes the database, and the last one to
    close writes the log back to the disk: half a run's time. So each file has one engine, whose connections stay open, and commits are not
    forced out one by one. A machine that goes down may lose the last events of Dagster's history, never the file (write-ahead log).
    Nothing that matters lies there.
    """
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from sqlalchemy import Engine, QueuePool, create_engine, event

    modules: list[Any] = [sqlite_event_log, sqlite_run_storage]
    kept: dict[str, Engine] = {}
    beneath = f"sqlite:///{folder.absolute()}/"

    def unforced(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    def engine(url: str, **options: Any) -> Engine:
        if not url.startswith(beneath):
            return create_engine(url, **options)
        if url not in kept:
            made = create_engine(url, **{**options, "poolclass": QueuePool})
            event.listen(made, "connect", unforced)
            made.dispose = lambda close=True: None  # type: ignore[method-assign]  # Dagster lets go of it after every event
            kept[url] = made
        return kept[url]

    for module in modules:
        module.create_engine = engine
    try:
        yield
    finally:
        for module in modules:
            module.create_engine = create_engine
        for made in kept.values():
            Engine.dispose(made)
