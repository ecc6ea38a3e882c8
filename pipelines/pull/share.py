"""A mounted network share (SMB, NFS), or any other folder, as a source. It uses fsspec's local file system."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.landing.walk import open_folder
from pipelines.pull.errors import PullError
from pipelines.pull.file_source import CHUNK_BYTES, FileSource
from pipelines.pull.fsspec_folder import FileSystem
from pipelines.pull.source import Secrets

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Share(FileSource):
    """The declaration of a share as a source. `path` is where the share is mounted. The login belongs to the mount, not to Harmonia."""

    kind: Literal["share"]
    path: Path

    @contextmanager
    def connect(self, secrets: Secrets) -> Iterator[FileSystem]:
        """Open the folder."""
        from fsspec.implementations.local import LocalFileSystem

        yield _SharedFolder(LocalFileSystem(skip_instance_cache=True), self.path.absolute())


class _SharedFolder(FileSystem):
    """A folder to which others can write. No link in it is followed, not even one that replaces a file while the folder is read."""

    def __init__(self, system: Any, root: Path) -> None:
        super().__init__(system, str(root))
        self._path = root

    def read_chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        *parts, name = path.split("/")
        try:
            with open_folder(self._path, *parts) as folder:
                file = os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise PullError("pull-file-growing", "a link took its place") from None
            raise
        with os.fdopen(file, "rb", buffering=0) as content:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise PullError("pull-file-growing", "another kind of file took its place")
            while chunk := content.read(CHUNK_BYTES):
                yield chunk
