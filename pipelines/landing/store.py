"""The landing store: the bytes of files under their hash, stored once and never changed.

Belongs here: writing bytes to `landing/<aa>/<sha256>`, completely or not at all. Does not belong here: what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from harmonia.atomic_files import sync_to_disk
from harmonia.errors import HarmoniaError, convert_storage_errors

_CHUNK = 1 << 20
_INCOMING, _UNRECORDED = ".incoming", ".keeping"


class FileStillChangingError(Exception):
    """Raised if a file changed while it was read."""


class FileUnreadableError(Exception):
    """Raised if a file cannot be read. The message is that of the operating system."""


@dataclass(frozen=True)
class StagedBytes:
    """Bytes that are ready to be moved into the landing store.

    `temporary` is the path at which they are until then; it is None if nothing has to be moved.
    """

    sha256: str
    size: int
    temporary: Path | None


class LandingStore:
    """The landing folder of a home. Use it only while the landing lock is held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_path(self, sha256: str) -> Path:
        """Return the path at which bytes with the hash `sha256` are stored."""
        return self.folder / sha256[:2] / sha256

    def has_bytes(self, sha256: str, size: int) -> bool:
        """Return whether bytes with this hash and size are stored.

        Stored bytes of another size are damaged. They are replaced when the file is delivered again.
        """
        try:
            return self.get_path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def require_stored_path(self, sha256: str, size: int, file: str) -> Path:
        """Return the path of stored bytes. If they are missing or have another size, raise a `HarmoniaError` that names `file`."""
        path = self.get_path(sha256)
        if not self.has_bytes(sha256, size):
            raise HarmoniaError(
                f"{file}: bytes missing or damaged in {path}: restore the landing folder from a backup, "
                "or put the file into the inbox again"
            )
        return path

    def stage_file(self, source: int, erased_hashes: Collection[str] = ()) -> StagedBytes:
        """Prepare the bytes of an open file for `commit_bytes`. The file is read twice, so that a change is noticed.

        `erased_hashes` are the hashes of bytes that an erasure removed and that must not be stored again. Raises `FileStillChangingError`,
        `FileUnreadableError`, or `HarmoniaError` if the disk is full.
        """
        digest, size = hashlib.sha256(), 0
        for chunk in _read_chunks(source):
            digest.update(chunk)
            size += len(chunk)
        sha256 = digest.hexdigest()
        if sha256 in erased_hashes or self.has_bytes(sha256, size):
            return StagedBytes(sha256, size, None)
        return self._write_temporary(sha256, size, _read_chunks(source))

    def stage_bytes(self, content: bytes) -> StagedBytes:
        """Prepare bytes that do not come from a file, such as the dump of a database, for `commit_bytes`."""
        sha256 = hashlib.sha256(content).hexdigest()
        if self.has_bytes(sha256, len(content)):
            return StagedBytes(sha256, len(content), None)
        return self._write_temporary(sha256, len(content), iter((content,)))

    def commit_bytes(self, staged: list[StagedBytes]) -> None:
        """Move staged bytes to their final path, and wait until they are on the disk. Raises `HarmoniaError`.

        Call `forget_unrecorded_hashes` when the ledger has the bytes.
        """
        self._note_hashes_as_unrecorded({staged_bytes.sha256 for staged_bytes in staged if staged_bytes.temporary is not None})
        folders = set()
        for staged_bytes in staged:
            if staged_bytes.temporary is not None:
                target = self.get_path(staged_bytes.sha256)
                with convert_storage_errors(target):
                    target.parent.mkdir(mode=0o700, exist_ok=True)
                    staged_bytes.temporary.replace(target)
                folders.add(target.parent)
        for folder in (*folders, *((self.folder,) if folders else ())):
            with convert_storage_errors(folder):
                sync_to_disk(folder)

    def list_unrecorded_hashes(self) -> set[str]:
        """Return the hashes of bytes that a killed run moved into the store but may not have recorded in the ledger."""
        return {path.name for path in (self.folder / _UNRECORDED).glob("*")}

    def forget_unrecorded_hashes(self) -> None:
        """Forget the hashes of `list_unrecorded_hashes`. Call this when all stored bytes are in the ledger or were removed."""
        with convert_storage_errors(self.folder):
            for note in (self.folder / _UNRECORDED).glob("*"):
                note.unlink(missing_ok=True)

    def remove_uncommitted_bytes(self) -> None:
        """Remove staged bytes that were not moved into the store, including those of killed runs."""
        with convert_storage_errors(self.folder):
            for leftover in (self.folder / _INCOMING).glob("*"):
                leftover.unlink(missing_ok=True)

    def remove_bytes(self, hashes: Collection[str]) -> None:
        """Remove the stored bytes with these hashes, for example after an erasure."""
        with convert_storage_errors(self.folder):
            for sha256 in hashes:
                self.get_path(sha256).unlink(missing_ok=True)

    def _note_hashes_as_unrecorded(self, hashes: Collection[str]) -> None:
        """Note the hashes of bytes as unrecorded before the bytes are moved into the store.

        If the process is killed, the next run finds the bytes by these notes. Otherwise neither the ledger nor an erasure would know of
        them.
        """
        if not hashes:
            return
        notes = self.folder / _UNRECORDED
        with convert_storage_errors(self.folder):
            notes.mkdir(mode=0o700, exist_ok=True)
            for sha256 in hashes:
                (notes / sha256).touch(mode=0o600)
            sync_to_disk(notes)

    def _write_temporary(self, sha256: str, size: int, chunks: Iterator[bytes]) -> StagedBytes:
        """Write bytes to a temporary file, and check that they have the hash `sha256`."""
        incoming = self.folder / _INCOMING
        with convert_storage_errors(self.folder):
            incoming.mkdir(mode=0o700, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=incoming)
        temporary = Path(name)
        try:
            written = self._write_chunks(descriptor, chunks)
            if written != sha256:
                raise FileStillChangingError
            self._verify_hash(temporary, sha256)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return StagedBytes(sha256, size, temporary)

    def _write_chunks(self, descriptor: int, chunks: Iterator[bytes]) -> str:
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            for chunk in chunks:
                digest.update(chunk)
                rest = memoryview(chunk)
                with convert_storage_errors(self.folder):
                    while rest:
                        rest = rest[out.write(rest) :]
            with convert_storage_errors(self.folder):
                os.fchmod(out.fileno(), 0o400)
                os.fsync(out.fileno())
        return digest.hexdigest()

    def _verify_hash(self, temporary: Path, sha256: str) -> None:
        """Read a temporary file again. Raise `HarmoniaError` if the disk returns other bytes than were written."""
        with convert_storage_errors(self.folder), temporary.open("rb") as copy:
            written = hashlib.file_digest(copy, "sha256").hexdigest()
        if written != sha256:
            raise HarmoniaError(f"{self.folder}: the disk returns other bytes than were written; check the disk, then run again")


def _read_chunks(source: int) -> Iterator[bytes]:
    """Read an open file from its beginning, and yield its bytes in chunks. Raises `FileUnreadableError`."""
    try:
        os.lseek(source, 0, os.SEEK_SET)
        while chunk := os.read(source, _CHUNK):
            yield chunk
    except OSError as error:
        raise FileUnreadableError(error.strerror or type(error).__name__) from None
