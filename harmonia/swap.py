"""Atomic replacement of files.

Belongs here: replacing one finished file, writing a small one, hard-linking one. Does not belong here: the content of the file.

A process that has the old file open continues to see it, even through new connections: close connections after use.
"""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

from harmonia.errors import HarmoniaError, storage

_SUFFIX = ".tmp"


def temporary(target: Path) -> Path:
    """A free path beside `target` for building its successor; removes leftovers of killed runs. Call it under the run lock."""
    clean(target)
    return target.with_name(f".{target.name}.{os.getpid()}{_SUFFIX}")


def clean(target: Path) -> None:
    """Remove the unfinished successors of `target` (and their write-ahead logs) that killed runs left beside it."""
    with storage(target):
        name = glob.escape(target.name)
        for left in (*target.parent.glob(f".{name}.*{_SUFFIX}"), *target.parent.glob(f".{name}.*{_SUFFIX}.wal")):
            left.unlink(missing_ok=True)


def swap_in(tmp: Path, target: Path) -> None:
    """Replace `target` by the finished file `tmp` atomically and durably; then remove leftovers of killed runs.

    `tmp` is in the folder of `target` and closed: raises `ValueError` if it has a write-ahead log. The old file's log is removed, or it
    would be replayed onto the new one. Raises `HarmoniaError` if the system refuses; `target` is then unchanged.
    """
    if _log(tmp).exists():
        raise ValueError(f"{tmp.name} still has a write-ahead log: close its connections before the swap")
    if target.is_dir():
        raise HarmoniaError(f"{target}: a folder is in the place of the file; remove it, then run again")
    with storage(target):
        sync(tmp)
        _log(target).unlink(missing_ok=True)
        tmp.replace(target)
        sync(target.parent)
    clean(target)


def share(source: Path | str, target: Path | str) -> None:
    """Hard-link a file that is never modified to `target`, or copy it if hard links are not supported."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a small file atomically, with `mode` from creation on. Not synced to disk: only for files that can be rebuilt.

    Raises `HarmoniaError` if the system refuses; `path` is then unchanged.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
    with storage(path):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_SUFFIX}"):  # leftovers of killed processes
            left.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def sync(path: Path) -> None:
    """Sync a file or folder to disk. Raises `OSError`."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
