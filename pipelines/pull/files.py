"""Sources of files: which deliveries lie there, complete and at rest, and their bytes.

Belongs here: what SFTP, HTTPS, S3 and shares have in common. Does not belong here: a connection (`sftp`, `https`, `s3`, `share`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field

from harmonia.errors import storage
from pipelines.landing.names import kind_of, shown
from pipelines.pull.failure import PullError, as_pull_error
from pipelines.pull.source import MIB, Look, Offer, Problem, RemoteFile, Request, Secrets, Source
from sources.contract import Contract, DeliveryName

CHUNK = 4 * MIB  # bytes that are held at a time
_MOST = 1000  # files of a delivery, and entries of the source that are named
_NAMED = 5
_PARTIAL = (".filepart", ".partial", ".crdownload", ".uploading")  # in addition to `kind_of`: how transfer programs name what they write


@dataclass(frozen=True)
class Entry:
    """A file or folder of a source."""

    name: str
    folder: bool
    size: int | None = None
    mark: str = ""


class Remote(Protocol):
    """An open connection to a source of files. Paths are relative to the root of the source, "" is the root."""

    def entries(self, folder: str) -> list[Entry]:
        """The files and folders directly in a folder; links and devices are left out."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a file, at most `CHUNK` at a time."""


@dataclass(frozen=True, kw_only=True)
class FileSource(Source):
    """A source of files. `layout`: where a file of a delivery lies below the root; `optional`: files of the contract that may be absent;
    `settle`: seconds between two looks that must see the same."""

    layout: Annotated[str, Field(pattern=r"^(\{delivery\}/\{file\}|\{delivery\}[-_.]\{file\}|\{file\}[-_.]\{delivery\})$")] = (
        "{delivery}/{file}"
    )
    optional: tuple[str, ...] = ()
    settle: Annotated[float, Field(ge=0, le=60)] = 5.0

    @abstractmethod
    def connect(self, secrets: Secrets) -> AbstractContextManager[Remote]:
        """Open a connection."""

    def look(self, secrets: Secrets, request: Request) -> Look:
        """Look twice; deliveries that changed in between, or lack a file, are problems and no offers."""
        for attempt in self.retrying():
            with attempt, as_pull_error(), self.connect(secrets) as remote:
                first = self._deliveries(remote, request.contract)
                time.sleep(self.settle if first[0] else 0)
                return self._settled(first[0], *self._deliveries(remote, request.contract), request.contract)
        raise AssertionError  # the last attempt raises

    def fetch(self, secrets: Secrets, request: Request, offer: Offer, folder: Path) -> dict[str, str]:
        """Write the files; those that came whole are kept between attempts. Raises `PullError` if one changed meanwhile."""
        there: dict[str, str] = {}
        for attempt in self.retrying():
            with attempt, as_pull_error(), self.connect(secrets) as remote:
                for file in offer.files:
                    if file.name not in there:
                        there[file.name] = write(remote.chunks(file.path), folder / file.name, file.size, self.largest * MIB)
                if _state(self._deliveries(remote, request.contract)[0].get(offer.delivery, {})) != _state(
                    {f.name: f for f in offer.files}
                ):
                    raise PullError("pull-file-growing")
        return there

    def _deliveries(self, remote: Remote, contract: Contract) -> tuple[dict[str, dict[str, RemoteFile]], list[Problem]]:
        """Files by delivery and name; what does not fit the layout, and folders without files, as problems."""
        found: dict[str, dict[str, RemoteFile]] = {}
        odd: list[str] = []
        entries = remote.entries("")
        if self.layout != "{delivery}/{file}":
            pattern = self._pattern(contract)
            for entry in entries:
                match = None if entry.folder else pattern.fullmatch(entry.name)
                if match is None or DeliveryName.parse(match["delivery"], contract.cadence) is None:
                    odd.append(entry.name)
                else:
                    found.setdefault(match["delivery"], {})[match["file"]] = RemoteFile(match["file"], entry.name, entry.size, entry.mark)
        else:
            for entry in entries:
                if not entry.folder or DeliveryName.parse(entry.name, contract.cadence) is None:
                    odd.append(entry.name)
                    continue
                inside = remote.entries(entry.name)
                files = [one for one in inside if not one.folder and kind_of(one.name) != "system"]
                odd += [f"{entry.name}/{one.name}" for one in inside if one.folder]
                if len(files) > _MOST:
                    raise PullError("pull-too-large", f"{entry.name}: more than {_MOST:,} files")
                found[entry.name] = {one.name: RemoteFile(one.name, f"{entry.name}/{one.name}", one.size, one.mark) for one in files}
        problems = [Problem(None, "pull-name", shown(name)) for name in sorted(odd)[:_NAMED] if kind_of(name) != "system"]
        if not found:
            problems.append(Problem(None, "pull-folder-empty"))
        return found, problems

    def _pattern(self, contract: Contract) -> re.Pattern[str]:
        names = "|".join(re.escape(n) for file in contract.files for n in (file.name, *file.alternatives))
        pattern = re.escape(self.layout).replace(r"\{delivery\}", "(?P<delivery>.+)").replace(r"\{file\}", f"(?P<file>{names})")
        return re.compile(pattern)

    def _settled(
        self, before: dict[str, dict[str, RemoteFile]], now: dict[str, dict[str, RemoteFile]], problems: list[Problem], contract: Contract
    ) -> Look:
        look = Look(problems=problems)
        for delivery, files in sorted(now.items()):
            partial = [name for name in files if kind_of(name) == "leftover" or name.lower().endswith(_PARTIAL)]
            missing = [
                file.name
                for file in contract.files
                if file.name not in self.optional
                and not {name.lower() for name in files} & {n.lower() for n in (file.name, *file.alternatives)}
            ]
            unsafe = [name for name in files if "/" in name or "\0" in name or name in (".", "..") or len(os.fsencode(name)) > 255]
            large = [name for name, file in files.items() if (file.size or 0) > self.largest * MIB]
            if not files:
                look.problems.append(Problem(delivery, "pull-folder-empty"))
            elif unsafe:
                look.problems.append(Problem(delivery, "pull-name", shown(unsafe[0][:100])))
            elif large:
                look.problems.append(Problem(delivery, "pull-too-large", f"{shown(large[0])}: more than {self.largest:,} MiB"))
            elif partial or _state(before.get(delivery, {})) != _state(files):
                look.problems.append(Problem(delivery, "pull-file-growing", shown(partial[0]) if partial else ""))
            elif missing:
                look.problems.append(Problem(delivery, "pull-file-missing", ", ".join(missing)))
            else:
                certain = all(file.size is not None and file.mark for file in files.values())
                look.offers.append(Offer(delivery, _state(files) if certain else None, tuple(files[name] for name in sorted(files))))
        return look


def _state(files: dict[str, RemoteFile]) -> str:
    listed = sorted((file.name, file.size, file.mark) for file in files.values())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def write(chunks: Iterator[bytes], target: Path, size: int | None, largest: int) -> str:
    """Write a stream to a file, durably; return its SHA-256. Raises `PullError` where it has more than `largest` bytes, or not `size`."""
    digest, written = hashlib.sha256(), 0
    with storage(target):
        out = target.open("wb", buffering=0)
    with out:
        for chunk in chunks:
            written += len(chunk)
            if written > largest:
                raise PullError("pull-too-large", f"{shown(target.name)}: more than {largest // MIB:,} MiB")
            if size is not None and written > size:
                raise PullError("pull-file-growing", shown(target.name))
            digest.update(chunk)
            rest = memoryview(chunk)
            with storage(target):
                while rest:
                    rest = rest[out.write(rest) :]
        with storage(target):
            os.fsync(out.fileno())
    if size is not None and written < size:
        raise PullError("pull-unreachable", f"{shown(target.name)}: {written:,} of {size:,} bytes", transient=True)
    return digest.hexdigest()
