"""Whether anything changed since the last run ended: then the next one lands and publishes nothing new, and does no other stage.

Belongs here: the state of all that a run reads and writes, as one hash, and its file. Does not belong here: which stage is done again when
something did change (`pipelines.assets.versions`).

Files count by size and modification time, as a delivery in the inbox does for the sensor; a state that cannot be known this way (registry
or warehouse on a server) is none, and every stage looks for itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipelines.assets.versions import hashed, program
from pipelines.landing.walk import walk
from pipelines.resources.workplace import Workplace

_FILE = ".last_run"
_NOT_READ = ("dagster", "logs", _FILE)  # of a home: history of runs, which no stage reads


def is_unchanged(workplace: Workplace) -> bool:
    """Whether inbox, home, program, settings and date are those at the end of the last run that published everything."""
    file = workplace.home.root / _FILE
    return file.exists() and file.read_text("utf-8") == _state(workplace)


def remember(workplace: Workplace, inbox: str) -> None:
    """Keep the state at the end of a run. inbox: `inbox_state` when it began, so that what arrived meanwhile is new."""
    file, state = workplace.home.root / _FILE, _state(workplace, inbox)
    if state is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(state, "utf-8")


def inbox_state(workplace: Workplace) -> str:
    """A hash of every delivery folder and its files (path, size, times, inode), and of what is odd in the inbox. Opens no file."""
    found = walk(workplace.inbox)
    folders = [(one.institution, str(one.name), sorted((name, repr(file)) for name, file in one.files.items())) for one in found.folders]
    return hashed(folders, found.findings, sorted(found.closed))


def _state(workplace: Workplace, inbox: str | None = None) -> str | None:
    if workplace.registry_url or workplace.warehouse_url:
        return None
    settings = sorted((name, value, _stat(Path(value))) for name, value in os.environ.items() if name.startswith("HARMONIA_"))
    files = sorted(_files(workplace.home.root))
    places = [str(workplace.inbox), str(workplace.home.root)]
    return hashed(inbox or inbox_state(workplace), files, program(), settings, places, datetime.now(UTC).date())


def _stat(path: Path) -> tuple[int, int] | None:
    """Size and modification time, where a setting names a file."""
    found = path.stat() if path.is_file() else None
    return found and (found.st_size, found.st_mtime_ns)


def _files(home: Path) -> Iterator[tuple[str, int, int]]:
    """Every file of a home that stages read or write: path, size, modification time in ns."""
    for entry in os.scandir(home):
        if entry.name not in _NOT_READ and not entry.name.endswith(("-shm", ".lock")):
            for path in Path(entry.path).rglob("*") if entry.is_dir(follow_symlinks=False) else [Path(entry.path)]:
                with suppress(FileNotFoundError):
                    found = path.lstat()
                    if found.st_size or not path.name.endswith("-wal"):  # SQLite makes an empty log for whoever only reads
                        yield str(path.relative_to(home)), found.st_size, found.st_mtime_ns
