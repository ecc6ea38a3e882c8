"""Errors that a user can resolve.

Belongs here: the exception that the command line prints as one line without a traceback, and converting storage errors to it. Does not
belong here: problems of delivered data, which are findings; programming errors, which keep their traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HarmoniaError(Exception):
    """An error whose text is one line with the problem and the remedy. The text never contains a name, a personal number or a password."""


class TransientError(HarmoniaError):
    """An error of input or output that may disappear if the operation is tried again, such as a restarting server or a locked database."""


_REMEDIES = {
    errno.ENOSPC: "the disk is full; make room, then run again",
    errno.EDQUOT: "the disk quota is used up; make room, then run again",
    errno.EROFS: "the file system is read-only; choose another folder or mount it for writing",
    errno.EACCES: "permission denied; change the permissions or choose another folder",
    errno.EPERM: "permission denied; change the permissions or choose another folder",
    errno.ENOTDIR: "part of the path is a file; remove it or choose another folder",
    errno.EEXIST: "a file is in the place of the folder; remove it or choose another folder",
    errno.EISDIR: "a folder is in the place of the file; remove it or choose another path",
    errno.ENAMETOOLONG: "the path is too long; choose a shorter one",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), then run again",
    errno.EIO: "the disk reports an error; check it, then run again",
}


@contextmanager
def convert_storage_errors(path: Path) -> Iterator[None]:
    """Convert an `OSError` raised within the block (disk full, permission denied, …) to a `HarmoniaError` with `path` and the remedy."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, f"the system says: {error.strerror or type(error).__name__}")
        raise HarmoniaError(f"{path}: cannot be written: {remedy}") from error
