"""Folders of the library fsspec as `RemoteConnection`, for SFTP, S3 and network shares."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.pull.file_source import CHUNK_BYTES, Kind, RemoteEntry

_TIMES = ("mtime", "LastModified", "ETag")
_KINDS: Mapping[str, Kind] = {"file": "file", "directory": "folder"}


class FileSystem:
    """The folder `root` of a file system of fsspec. `options` are passed on when a file is opened."""

    def __init__(self, system: Any, root: str, **options: Any) -> None:
        self._system, self._root, self._options = system, root.rstrip("/") or "/", options

    def list_entries(self, folder: str) -> list[RemoteEntry]:
        """Return the files and folders directly in `folder`."""
        path = posixpath.join(self._root, folder).rstrip("/") or "/"
        self._system.invalidate_cache()
        found_entries = []
        for info in self._system.ls(path, detail=True):
            if info["name"].strip("/") != path.strip("/"):  # S3 lists a folder that was made by hand as an entry of itself
                mark = " ".join(str(info[time]) for time in _TIMES if info.get(time) is not None)
                kind: Kind = "other" if info.get("islink") else _KINDS.get(info["type"], "other")
                found_entries.append(RemoteEntry(posixpath.basename(info["name"].rstrip("/")), kind, info["size"], mark))
        return found_entries

    def read_chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        with self._system.open(posixpath.join(self._root, path), "rb", **self._options) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
