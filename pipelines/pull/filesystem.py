"""A file system of fsspec as a `Remote`: SFTP, S3 and shares."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from pipelines.pull.files import CHUNK, Entry

_TIMES = ("mtime", "LastModified", "ETag")


class FileSystem:
    """The folder `root` of an fsspec file system. `options`: of its `open`."""

    def __init__(self, system: Any, root: str, **options: Any) -> None:
        self._system, self._root, self._options = system, root.rstrip("/") or "/", options

    def entries(self, folder: str) -> list[Entry]:
        """Files and folders, without links and devices."""
        path = posixpath.join(self._root, folder).rstrip("/") or "/"
        self._system.invalidate_cache()
        found = []
        for info in self._system.ls(path, detail=True):
            name = posixpath.basename(info["name"].rstrip("/"))
            if info["type"] in ("file", "directory") and not info.get("islink") and info["name"].rstrip("/") != path.strip("/"):
                mark = " ".join(str(info[time]) for time in _TIMES if info.get(time) is not None)
                found.append(Entry(name, info["type"] == "directory", info["size"], mark))
        return found

    def chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a file."""
        with self._system.open(posixpath.join(self._root, path), "rb", **self._options) as file:
            while chunk := file.read(CHUNK):
                yield chunk
