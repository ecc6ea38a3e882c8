"""Putting a new file in the place of the old one, whole.

Belongs here: the swap of a single finished file, writing a small one, sharing one. Does not belong here: what is in the file.

A process that still holds the old file open goes on seeing the old one, also through new connections: keep no connections.
"""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

from pipelines.errors import HarmoniaError, storage
from pipelines.points import Point, reached

_SUFFIX = ".tmp"


def temporary(target: Path) -> Path:
    """A free path beside `target` to build its successor in; removes what killed runs left. Call it under the run lock."""
    clean(target)
    return target.with_name(f".{target.name}.{os.getpid()}{_SUFFIX}")


def clean(target: Path) -> None:
    """Remove the unfinished successors of `target` (and their write-ahead logs) that killed runs left beside it."""
    with storage(target):
        name = glob.escape(target.name)
        for left in (*target.parent.glob(f".{name}.*{_SUFFIX}"), *target.parent.glob(f".{name}.*{_SUFFIX}.wal")):
            left.unlink(missing_ok=True)


def swap_in(tmp: Path, target: Path) -> None:
    """Put the finished file `tmp` in the place of `target` in one step, durably; then clean up after killed runs.

    `tmp` lies in the folder of `target` and is closed: a write-ahead log beside it means that it is not, which is a
    `ValueError`. A log beside the old file goes, or it would be replayed onto the new one.
    Raises `HarmoniaError` where the system refuses; `target` is then as before.
    """
    if _log(tmp).exists():
        raise ValueError(f"{tmp.name} still has a write-ahead log: close its connections before the swap")
    if target.is_dir():
        raise HarmoniaError(f"{target}: a folder is in the place of the file; remove it, then run again")
    with storage(target):
        sync(tmp)
        _log(target).unlink(missing_ok=True)
        reached(Point.BEFORE_SWAP)
        tmp.replace(target)
        reached(Point.AFTER_SWAP)
        sync(target.parent)
    clean(target)


def share(source: Path | str, target: Path | str) -> None:
    """Have a file that nobody writes into stand at `target` too: the same bytes, or a copy where there are no hard links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a small file in one step, with `mode` from its first byte. Not forced to the disk: for what can be written again.

    Raises `HarmoniaError` where the system refuses; `path` is then as before.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
    with storage(path):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_SUFFIX}"):  # of a process that was killed
            left.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
            reached(Point.PAGE_WRITTEN)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}.wal")


def sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk. Raises `OSError`."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
