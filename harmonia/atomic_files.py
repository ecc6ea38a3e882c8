"""Replace files atomically: at any moment, the path leads either to the complete old file or to the complete new file.

Belongs here: replacing a large file, writing a small one, hard-linking one. Does not belong here: the content of the file.

A process that has the old file open continues to see the old content, even through new DuckDB connections: close connections after use.
"""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors

_SUFFIX = ".tmp"


def make_temporary_path(target: Path) -> Path:
    """Return a path beside `target` at which no file exists, for building the new file.

    It also removes the unfinished files of runs that were killed. So only a run that has locked the home may call it.
    """
    remove_unfinished_files(target)
    return target.with_name(f".{target.name}.{os.getpid()}{_SUFFIX}")


def remove_unfinished_files(target: Path) -> None:
    """Remove the unfinished new files, and their write-ahead logs, that killed runs left in the folder of `target`."""
    with convert_storage_errors(target):
        name = glob.escape(target.name)
        for left in (*target.parent.glob(f".{name}.*{_SUFFIX}"), *target.parent.glob(f".{name}.*{_SUFFIX}.wal")):
            left.unlink(missing_ok=True)


def replace_large_file(finished_file: Path, target: Path) -> None:
    """Replace `target` by `finished_file`, atomically and durably; then remove what killed runs left behind.

    finished_file: a closed database file in the folder of `target`; raises `ValueError` if it still has a write-ahead log. The log of the
    old file is removed, since DuckDB would otherwise apply it to the new file. Raises `HarmoniaError` if the operating system refuses;
    `target` is then unchanged.
    """
    if _make_path_of_write_ahead_log(finished_file).exists():
        raise ValueError(f"{finished_file.name} still has a write-ahead log: close its connections before the swap")
    if target.is_dir():
        raise HarmoniaError(f"{target}: a folder is in the place of the file; remove it, then run again")
    with convert_storage_errors(target):
        sync_to_disk(finished_file)
        _make_path_of_write_ahead_log(target).unlink(missing_ok=True)
        finished_file.replace(target)
        sync_to_disk(target.parent)
    remove_unfinished_files(target)


def link_or_copy_file(source: Path | str, target: Path | str) -> None:
    """Make `target` a hard link to a file that is never modified, or a copy of it if hard links are not supported."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def write_small_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a small file atomically; it has the permissions `mode` from the moment when it is created.

    It is not synced to disk: use this only for files that can be rebuilt. Raises `HarmoniaError` if the operating system refuses; `path`
    is then unchanged.
    """
    new_file = path.with_name(f".{path.name}.{os.getpid()}{_SUFFIX}")
    with convert_storage_errors(path):
        for left in path.parent.glob(f".{glob.escape(path.name)}.*{_SUFFIX}"):  # leftovers of killed processes
            left.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(new_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(content)
            new_file.replace(path)
        finally:
            new_file.unlink(missing_ok=True)


def _make_path_of_write_ahead_log(database_file: Path) -> Path:
    return database_file.with_name(f"{database_file.name}.wal")


def sync_to_disk(path: Path) -> None:
    """Wait until a file or folder is written to disk. Raises `OSError` if that fails."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
