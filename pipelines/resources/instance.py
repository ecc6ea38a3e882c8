"""The settings and the storage of Dagster in a home.

Belongs here: copying `dagster.yaml` into the home, and making writes to Dagster's SQLite files faster. Dagster is imported only where a run
needs it, so that commands start faster.
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

from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.home import Home

URL_SETTING = "HARMONIA_DAGSTER_URL"
_DRIVER = "postgresql+psycopg2://"
_STORAGE = re.compile(r"^storage:", re.MULTILINE)
_POSTGRES_STORAGE = f"""
# Dagster's history on PostgreSQL. The variable holds the URL, postgresql+psycopg2://user@host/database; a password belongs into ~/.pgpass.
storage:
  postgres:
    postgres_url:
      env: {URL_SETTING}
"""


def install_dagster_settings(home: Home) -> Path:
    """Copy the `dagster.yaml` of this package into the home if it has none. Return the folder with the settings (`DAGSTER_HOME`).

    If `HARMONIA_DAGSTER_URL` is set and the settings name no storage, storage in PostgreSQL is added to them. Raises `HarmoniaError` if the
    settings use this variable although it is not set, has another form, or the driver is not installed.
    """
    home.create()
    settings = home.dagster / "dagster.yaml"
    with convert_storage_errors(settings):
        if not settings.exists():
            shutil.copyfile(Path(__file__).parent / "dagster.yaml", settings)
        text = settings.read_text("utf-8")
        if os.environ.get(URL_SETTING) and not _STORAGE.search(text):
            text += _POSTGRES_STORAGE
            settings.write_text(text, "utf-8")
    if f"env: {URL_SETTING}" in text:
        url = os.environ.get(URL_SETTING)
        if not url:
            raise HarmoniaError(
                f"{settings} keeps Dagster's history in the database that {URL_SETTING} names: set it, or remove `storage` there"
            )
        if not url.startswith(_DRIVER):  # SQLAlchemy 2.1 takes psycopg 3 for postgresql://, dagster-postgres speaks to psycopg2
            raise HarmoniaError(f"{URL_SETTING} must begin with {_DRIVER}: that is the driver of dagster-postgres")
        if find_spec("dagster_postgres") is None:
            raise HarmoniaError(f"{URL_SETTING} needs `.venv/bin/uv sync --inexact --extra server` (dagster-postgres)")
    return home.dagster


@contextmanager
def speed_up_sqlite_writes(folder: Path) -> Iterator[None]:
    """Within the block, write SQLite files under `folder` without waiting for the disk after every event.

    For every event, Dagster makes a new database engine, which opens the database and compiles the same statements again. That takes half
    of the time of a run. Within the block, each file has one engine that keeps its connections open, and a commit does not wait for the
    disk. If the machine crashes, the last events in Dagster's history may be lost, but the file is not damaged, since it uses a write-ahead
    log.
    """
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from sqlalchemy import Engine, QueuePool, create_engine, event

    modules: list[Any] = [sqlite_event_log, sqlite_run_storage]
    engines: dict[str, Engine] = {}
    url_prefix = f"sqlite:///{folder.absolute()}/"

    def relax_durability(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA synchronous = NORMAL")

    def cached_engine(url: str, **options: Any) -> Engine:
        if not url.startswith(url_prefix):
            return create_engine(url, **options)
        if url not in engines:
            new_engine = create_engine(url, **{**options, "poolclass": QueuePool})
            event.listen(new_engine, "connect", relax_durability)
            new_engine.dispose = lambda close=True: None  # type: ignore[method-assign]  # Dagster disposes of it after every event
            engines[url] = new_engine
        return engines[url]

    for module in modules:
        module.create_engine = cached_engine
    try:
        yield
    finally:
        for module in modules:
            module.create_engine = create_engine
        for new_engine in engines.values():
            Engine.dispose(new_engine)
