"""Find out that nothing has changed since the last run. Then the next run needs only landing and publishing.

Belongs here: a hash of everything that a run reads and writes, and the file with this hash. Does not belong here: which stage runs again
after a change (`pipelines.assets.versions`).

Files are compared by size and modification time, as in the inbox sensor. If the registry or the warehouse is on a server, there is no such
hash, and every stage checks its own inputs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pipelines.assets.versions import hash_stage_code, hash_values
from pipelines.landing.walk import walk_inbox
from pipelines.resources.workplace import Workplace

_FILE = ".last_run"
_IGNORED_ENTRIES = ("dagster", "logs", "portal", _FILE)  # files and folders of a home that no stage reads


def is_unchanged_since_last_run(workplace: Workplace, inbox_hash: str) -> bool:
    """Return whether the inbox, the home, the program, the settings and the date are the same as at the end of the last complete run.

    `inbox_hash` comes from `hash_inbox_state`.
    """
    file = workplace.home.root / _FILE
    return file.exists() and file.read_text("utf-8") == _hash_run_state(workplace, inbox_hash)


def store_run_state(workplace: Workplace, inbox_hash: str) -> None:
    """Store the hash with which the next run finds out whether anything has changed. Call this at the end of a run.

    `inbox_hash` comes from `hash_inbox_state` at the start of the run, so that files which arrived during the run count as new.
    """
    file, state = workplace.home.root / _FILE, _hash_run_state(workplace, inbox_hash)
    if state is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(state, "utf-8")


def hash_inbox_state(workplace: Workplace) -> str:
    """Return a hash of the files in all delivery folders and of the findings on the inbox. No file is opened."""
    content = walk_inbox(workplace.inbox)
    folders = [(folder.institution, str(folder.name), folder.compute_fingerprint()) for folder in content.folders]
    return hash_values(folders, content.findings, sorted(content.closed))


def _hash_run_state(workplace: Workplace, inbox_hash: str) -> str | None:
    """Return a hash of everything that a run reads and writes; None if the registry or the warehouse is on a server."""
    if workplace.registry_url or workplace.warehouse_url:
        return None
    settings = sorted((name, value, _read_size_and_time(Path(value))) for name, value in os.environ.items() if name.startswith("HARMONIA_"))
    files = sorted(_list_home_files(workplace.home.root))
    locations = [str(workplace.inbox), str(workplace.home.root)]
    return hash_values(inbox_hash, files, hash_stage_code(), settings, locations, datetime.now(UTC).date())


def _read_size_and_time(path: Path) -> tuple[int, int] | None:
    """Return the size and the modification time of a file that a setting names. Return None if `path` is not a file."""
    status = path.stat() if path.is_file() else None
    return status and (status.st_size, status.st_mtime_ns)


def _list_home_files(home: Path) -> Iterator[tuple[str, int, int]]:
    """Yield each file of a home that stages read or write: its path, size, and modification time in nanoseconds."""
    for entry in os.scandir(home):
        if entry.name not in _IGNORED_ENTRIES and not entry.name.endswith(("-shm", ".lock")):
            for path in Path(entry.path).rglob("*") if entry.is_dir(follow_symlinks=False) else [Path(entry.path)]:
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    if status.st_size or not path.name.endswith("-wal"):  # SQLite creates an empty log when somebody reads
                        yield str(path.relative_to(home)), status.st_size, status.st_mtime_ns
