"""Sources of files: finding the deliveries that are complete and no longer changing, and reading their bytes.

Belongs here: what SFTP, HTTPS, S3 and network shares have in common. Does not belong here: connecting to them (`sftp`, `https`, `s3`,
`share`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import Field

from harmonia.errors import convert_storage_errors
from pipelines.landing.file_names import classify_file_name, make_printable_name
from pipelines.pull.errors import PullError, convert_errors_to_pull_errors
from pipelines.pull.source import MIB, DeliveryOffer, LookResult, RemoteFile, Secrets, Source, SourceProblem, SourceRequest
from sources.contract import Contract, DeliveryName

CHUNK_BYTES = 4 * MIB  # bytes that are in memory at a time
_MAX_FILES = 1000  # files of a delivery
_MAX_NAMES_SHOWN = 5  # names in a source that do not belong to a delivery
_PARTIAL_ENDINGS = (
    ".filepart",
    ".partial",
    ".crdownload",
    ".uploading",
)  # ends of the names of files that transfer programs are still writing; `classify_file_name` knows more


Kind = Literal["file", "folder", "other"]
Files = dict[str, RemoteFile]
"""The files of a delivery, by name."""


@dataclass(frozen=True)
class RemoteEntry:
    """A file or folder in a folder of a source. The kind `other` means a link or device.

    `mark` is a text that changes whenever the content changes.
    """

    name: str
    kind: Kind
    size: int | None = None
    mark: str = ""


class RemoteConnection(Protocol):
    """An open connection to a source of files. Paths are relative to the root folder of the source; "" is the root folder itself."""

    def list_entries(self, folder: str) -> list[RemoteEntry]:
        """Return the files and folders directly in `folder`."""

    def read_chunks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file, at most `CHUNK_BYTES` at a time."""


@dataclass(frozen=True, kw_only=True)
class FileSource(Source):
    """A source of files.

    `layout` is the path of a delivered file below the root folder. `optional` has the files of the contract that may be missing. `settle`
    is the number of seconds between two looks at the source; a delivery is fetched only if both looks show the same files.
    """

    layout: Annotated[str, Field(pattern=r"^(\{delivery\}/\{file\}|\{delivery\}[-_.]\{file\}|\{file\}[-_.]\{delivery\})$")] = (
        "{delivery}/{file}"
    )
    optional: tuple[str, ...] = ()
    settle: Annotated[float, Field(ge=0, le=60)] = 5.0

    @abstractmethod
    def connect(self, secrets: Secrets) -> AbstractContextManager[RemoteConnection]:
        """Open a connection to the source."""

    def look_for_deliveries(self, secrets: Secrets, request: SourceRequest) -> LookResult:
        """Look at the source twice. A delivery that changed in between, or that lacks a file, is returned as a problem, not as an offer."""
        for attempt in self.make_attempts():
            with attempt, convert_errors_to_pull_errors(), self.connect(secrets) as remote:
                first = self._list_deliveries(remote, request.contract)
                time.sleep(self.settle if first[0] else 0)
                return self._divide_into_offers_and_problems(first[0], *self._list_deliveries(remote, request.contract), request.contract)
        raise AssertionError  # the last attempt raises

    def fetch_delivery(self, secrets: Secrets, request: SourceRequest, offer: DeliveryOffer, folder: Path) -> dict[str, str]:
        """Write the files of an offer into `folder`. A file that was received completely is not fetched again in the next attempt.

        Raises `PullError` if a file of the delivery changed meanwhile.
        """
        hashes: dict[str, str] = {}
        for attempt in self.make_attempts():
            with attempt, convert_errors_to_pull_errors(), self.connect(secrets) as remote:
                for file in offer.files:
                    if file.name not in hashes:
                        hashes[file.name] = write_stream(remote.read_chunks(file.path), folder / file.name, file.size, self.largest * MIB)
                current = self._list_deliveries(remote, request.contract, offer.delivery)[0].get(offer.delivery, {})
                if _hash_remote_files(current) != _hash_remote_files({file.name: file for file in offer.files}):
                    raise PullError("pull-file-growing")
        return hashes

    def _list_deliveries(
        self, remote: RemoteConnection, contract: Contract, only_delivery: str | None = None
    ) -> tuple[dict[str, Files], list[SourceProblem]]:
        """Return the files of each delivery, by name. Also return a problem if there are no deliveries or if there are unexpected names.

        If `only_delivery` names a delivery, only this delivery is listed.
        """
        files_by_delivery: dict[str, Files] = {}
        unexpected: list[str] = []
        pattern = self._make_name_pattern(contract)
        for entry in remote.list_entries(""):
            match = pattern.fullmatch(entry.name)
            expected = "folder" if self._is_folder_layout else "file"
            if match is None or entry.kind != expected or DeliveryName.parse(match["delivery"], contract.cadence) is None:
                unexpected += [entry.name] if classify_file_name(entry.name) != "system" else []
            elif only_delivery not in (None, match["delivery"]):
                continue
            elif self._is_folder_layout:
                files_by_delivery[entry.name], other_names = self._list_folder(remote, entry.name)
                unexpected += other_names
            else:
                file = match["file"]
                files_by_delivery.setdefault(match["delivery"], {})[file] = RemoteFile(file, entry.name, entry.size, entry.mark)
        names = ", ".join(map(make_printable_name, sorted(unexpected)[:_MAX_NAMES_SHOWN]))
        if not files_by_delivery:
            return files_by_delivery, [SourceProblem(None, "pull-folder-empty", names)]
        return files_by_delivery, [SourceProblem(None, "pull-name", names)] if unexpected else []

    def _list_folder(self, remote: RemoteConnection, delivery: str) -> tuple[Files, list[str]]:
        """Return the files in the folder of a delivery, and the paths of everything else in it, which landing does not read."""
        entries = [entry for entry in remote.list_entries(delivery) if classify_file_name(entry.name) != "system"]
        if len(entries) > _MAX_FILES:
            raise PullError("pull-too-large", f"{delivery}: more than {_MAX_FILES:,} files")
        files = {
            entry.name: RemoteFile(entry.name, f"{delivery}/{entry.name}", entry.size, entry.mark)
            for entry in entries
            if entry.kind == "file"
        }
        return files, [f"{delivery}/{entry.name}" for entry in entries if entry.kind != "file"]

    @property
    def _is_folder_layout(self) -> bool:
        return "/" in self.layout

    def _make_name_pattern(self, contract: Contract) -> re.Pattern[str]:
        """Return the pattern of the names that are expected in the root folder of the source."""
        names = "|".join(re.escape(n) for file in contract.files for n in (file.name, *file.alternatives))
        first = re.escape(self.layout.partition("/")[0])
        return re.compile(first.replace(r"\{delivery\}", "(?P<delivery>.+)").replace(r"\{file\}", f"(?P<file>{names})"))

    def _divide_into_offers_and_problems(
        self,
        files_at_first_look: Mapping[str, Files],
        files_at_second_look: Mapping[str, Files],
        problems: list[SourceProblem],
        contract: Contract,
    ) -> LookResult:
        """Return the complete deliveries that did not change between two looks as offers, and a problem for every other delivery."""
        look = LookResult(problems=problems)
        for delivery, files in sorted(files_at_second_look.items()):
            partial = [name for name in files if classify_file_name(name) == "leftover" or name.lower().endswith(_PARTIAL_ENDINGS)]
            missing = [
                file.name
                for file in contract.files
                if file.name not in self.optional
                and not {name.lower() for name in files} & {n.lower() for n in (file.name, *file.alternatives)}
            ]
            unsafe = [name for name in files if "/" in name or "\0" in name or name in (".", "..") or len(os.fsencode(name)) > 255]
            large = [name for name, file in files.items() if (file.size or 0) > self.largest * MIB]
            if not files:
                look.problems.append(SourceProblem(delivery, "pull-folder-empty"))
            elif unsafe:
                look.problems.append(SourceProblem(delivery, "pull-name", make_printable_name(unsafe[0][:100])))
            elif large:
                look.problems.append(
                    SourceProblem(delivery, "pull-too-large", f"{make_printable_name(large[0])}: more than {self.largest:,} MiB")
                )
            elif partial or _hash_remote_files(files_at_first_look.get(delivery, {})) != _hash_remote_files(files):
                look.problems.append(SourceProblem(delivery, "pull-file-growing", make_printable_name(partial[0]) if partial else ""))
            elif missing:
                look.problems.append(SourceProblem(delivery, "pull-file-missing", ", ".join(missing)))
            else:
                certain = all(file.size is not None and file.mark for file in files.values())
                look.offers.append(
                    DeliveryOffer(delivery, _hash_remote_files(files) if certain else None, tuple(files[name] for name in sorted(files)))
                )
        return look


def _hash_remote_files(files: Files) -> str:
    """Return a hash of the names and sizes of a delivery's files, and of their marks (times or ETags), which change with the content."""
    states = sorted((file.name, file.size, file.mark) for file in files.values())
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def write_stream(chunks: Iterator[bytes], target: Path, size: int | None, largest: int) -> str:
    """Write a stream of bytes to a file, and wait until it is on the disk. Return the SHA-256 of the file.

    Raises `PullError` if there are more than `largest` bytes, or if `size` is given and there are not exactly so many.
    """
    digest, written = hashlib.sha256(), 0
    with convert_storage_errors(target):
        out = target.open("wb", buffering=0)
    with out:
        for chunk in chunks:
            written += len(chunk)
            if written > largest:
                raise PullError("pull-too-large", f"{make_printable_name(target.name)}: more than {largest // MIB:,} MiB")
            if size is not None and written > size:
                raise PullError("pull-file-growing", make_printable_name(target.name))
            digest.update(chunk)
            rest = memoryview(chunk)
            with convert_storage_errors(target):
                while rest:
                    rest = rest[out.write(rest) :]
        with convert_storage_errors(target):
            os.fsync(out.fileno())
    if size is not None and written < size:
        raise PullError("pull-unreachable", f"{make_printable_name(target.name)}: {written:,} of {size:,} bytes", transient=True)
    return digest.hexdigest()
