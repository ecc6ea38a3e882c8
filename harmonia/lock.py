"""Locks between processes. The kernel holds them: if a process is killed, it releases its locks.

Belongs here: only one run at a time per home, and only one landing at a time per home. Does not belong here: locks of a database.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.home import Home

_PAUSE = 0.05  # seconds between two attempts
_GRACE = 0.2  # seconds to wait for a lock, longer than `is_home_locked` holds its shared lock
_RUN_LOCK = ".run.lock"


@contextmanager
def lock_home_for_run(home: Home) -> Iterator[None]:
    """Lock the home for one run. Raises `HarmoniaError` at once if another run has locked it. A process cannot lock it twice."""
    with _lock_file(home.root / _RUN_LOCK, f"home {home.root}", wait_seconds=_GRACE):
        yield


def is_home_locked(home: Home) -> bool:
    """Return whether a run, or a command that changes the home, has locked the home.

    Raises `HarmoniaError` if the lock file cannot be opened.
    """
    path = home.root / _RUN_LOCK
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise HarmoniaError(f"{path}: cannot be opened ({error.strerror}): change its owner to the user that runs Harmonia") from error
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def lock_landing_store(home: Home, wait: float = 60) -> Iterator[None]:
    """Lock the landing store of a home. Waits up to `wait` seconds, then raises `HarmoniaError`. A process cannot lock it twice."""
    with _lock_file(home.landing / ".lock", f"landing {home.landing}", wait):
        yield


@contextmanager
def lock_pulls(home: Home, institution: str) -> Iterator[None]:
    """Lock the pulls from an institution. Raises `HarmoniaError` at once if another process has locked them.

    A process cannot lock them twice.
    """
    with _lock_file(home.root / f".pull-{institution}.lock", f"the pull of {institution}", wait_seconds=_GRACE):
        yield


@contextmanager
def _lock_file(path: Path, locked_thing: str, wait_seconds: float) -> Iterator[None]:
    """Lock the file `path`, and write into it which process locked it. locked_thing: what is locked, for the error message."""
    with convert_storage_errors(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire_lock(file, locked_thing, time.monotonic() + wait_seconds)
        with convert_storage_errors(path):
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(), 0)
        yield
    finally:
        os.close(file)  # releases the lock; removing the file would let two processes lock two files


def _acquire_lock(file: int, locked_thing: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(file, 200, 0).decode("ascii", "replace") or "another process"
                raise HarmoniaError(f"{locked_thing} is in use by {holder}: wait until it has ended, then run again") from None
            time.sleep(_PAUSE)
