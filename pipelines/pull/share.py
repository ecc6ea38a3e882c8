"""A share that the system has mounted (SMB, NFS), or any folder. fsspec's local file system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.pull.files import FileSource
from pipelines.pull.filesystem import FileSystem
from pipelines.pull.source import Secrets


@dataclass(frozen=True, kw_only=True)
class Share(FileSource):
    """`path`: where the share is mounted. Its login is the mount's."""

    kind: Literal["share"]
    path: Path

    @contextmanager
    def connect(self, secrets: Secrets) -> Iterator[FileSystem]:
        """The folder."""
        from fsspec.implementations.local import LocalFileSystem

        yield FileSystem(LocalFileSystem(skip_instance_cache=True), str(self.path.absolute()))
