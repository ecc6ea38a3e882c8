"""Dagster's own settings and storage in a home.

Belongs here: putting the shipped `dagster.yaml` there, and keeping its SQLite files quick. Imports no Dagster: commands start faster.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.errors import storage
from pipelines.home import Home


def install_dagster(home: Home) -> Path:
    """Put the shipped `dagster.yaml` into the home where there is none yet; returns the folder (`DAGSTER_HOME`)."""
    home.create()
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        with storage(settings):
            shutil.copyfile(Path(__file__).parent / "dagster.yaml", settings)
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
