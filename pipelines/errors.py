"""Problems that a person can solve.

Belongs here: the one exception that the command line prints as a line without a traceback, and the turning of storage
errors into it. Does not belong here: problems of delivered data (those are findings) and programming errors (those keep
their traceback).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HarmoniaError(Exception):
    """One clear line that names the thing and the way out. Never holds a name, a personal number or a password."""


class TransientError(HarmoniaError):
    """What may go through by itself in a moment: a server that restarts, a database that another writes to. Input and output alone."""


_WAY_OUT = {
    errno.ENOSPC: "the disk is full; make room, then run again",
    errno.EDQUOT: "the disk quota is used up; make room, then run again",
    errno.EROFS: "the file system is read-only; choose another folder or mount it for writing",
    errno.EACCES: "this user may not write there; change its permissions or choose another folder",
    errno.EPERM: "this user may not write there; change its permissions or choose another folder",
    errno.ENOTDIR: "a part of the path is a file; remove it or choose another folder",
    errno.EEXIST: "a file stands where a folder should be; remove it or choose another folder",
    errno.EISDIR: "a folder stands where a file should be; remove it or choose another place",
    errno.ENAMETOOLONG: "the path is too long; choose a shorter one",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), then run again",
    errno.EIO: "the disk reports an error; check it, then run again",
}


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block (full disk, no permission, …) into a `HarmoniaError` that names `path` and the way out."""
    try:
        yield
    except OSError as error:
        way_out = _WAY_OUT.get(error.errno or 0, f"the system says: {error.strerror or type(error).__name__}")
        raise HarmoniaError(f"{path}: cannot be written: {way_out}") from error
