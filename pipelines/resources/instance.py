"""Dagster's own settings and storage in a home.

Belongs here: putting the shipped `dagster.yaml` there, and keeping its SQLite files quick. Imports no Dagster: commands start faster.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipelines.errors import HarmoniaError, storage
from pipelines.home import Home

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

    Dagster opens and closes its database for every event, and the last one to close writes the log back to the disk: half a run's time.
    So one connection to each file stays open, and commits are not forced out one by one. A machine that goes down may lose the last
    events of Dagster's history, never the file (write-ahead log). Nothing that matters lies there.
    """
    from sqlalchemy import Engine, event

    held: dict[str, sqlite3.Connection] = {}

    def connected(connection: Any, _: Any) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        if not path or not Path(path).is_relative_to(folder.resolve()):
            return
        connection.execute("PRAGMA synchronous = NORMAL")
        if path not in held:
            held[path] = sqlite3.connect(path, check_same_thread=False)
            held[path].execute("SELECT count(*) FROM sqlite_master").fetchone()

    event.listen(Engine, "connect", connected)
    try:
        yield
    finally:
        event.remove(Engine, "connect", connected)
        for connection in held.values():
            connection.close()
