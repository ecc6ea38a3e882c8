"""The landing store: bytes by their hash, stored once, never changed.

Belongs here: getting bytes into `landing/<aa>/<sha256>` whole or not at all. Does not belong here: what they are.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import HarmoniaError, storage
from pipelines.points import Point, reached
from pipelines.swap import sync

_CHUNK = 1 << 20
_INCOMING, _KEEPING = ".incoming", ".keeping"


class ChangingError(Exception):
    """The file changed while it was read."""


class UnreadableError(Exception):
    """The file cannot be read; the text is what the system says."""


@dataclass(frozen=True)
class Staged:
    """Bytes that are ready to be kept. `temporary` is null where the store has them already."""

    sha256: str
    size: int
    temporary: Path | None


class Store:
    """The landing folder of a home. Use it under the landing lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the bytes with this hash are kept."""
        return self.folder / sha256[:2] / sha256

    def has(self, sha256: str, size: int) -> bool:
        """Whether the bytes are there whole; bytes of another size are damaged, and are stored anew when they come again."""
        try:
            return self.path(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def stage(self, source: int, known: Collection[str] = ()) -> Staged:
        """Read an open file twice and put its bytes aside. Raises `ChangingError`, `UnreadableError`, `HarmoniaError` (full disk).

        known: hashes of bytes that are not to be kept again, although they are not there: an erasure removed them.
        """
        digest, size = hashlib.sha256(), 0
        for chunk in _chunks(source):
            digest.update(chunk)
            size += len(chunk)
        sha256 = digest.hexdigest()
        if sha256 in known or self.has(sha256, size):
            return Staged(sha256, size, None)
        return self._put_aside(sha256, size, _chunks(source))

    def stage_bytes(self, content: bytes) -> Staged:
        """Put bytes aside that come from no file (the dump of a database)."""
        sha256 = hashlib.sha256(content).hexdigest()
        if self.has(sha256, len(content)):
            return Staged(sha256, len(content), None)
        return self._put_aside(sha256, len(content), iter((content,)))

    def keep(self, staged: list[Staged]) -> None:
        """Move what was put aside to its place, durably; call `entered` when the ledger names it. Raises `HarmoniaError`."""
        self._note({one.sha256 for one in staged if one.temporary is not None})
        folders = set()
        for one in staged:
            if one.temporary is not None:
                target = self.path(one.sha256)
                with storage(target):
                    target.parent.mkdir(mode=0o700, exist_ok=True)
                    one.temporary.replace(target)
                reached(Point.BYTES_IN_PLACE)
                folders.add(target.parent)
        for folder in (*folders, *((self.folder,) if folders else ())):
            with storage(folder):
                sync(folder)

    def unentered(self) -> set[str]:
        """Hashes of bytes that a run moved to their place and may not have entered into the ledger before it was killed."""
        return {path.name for path in (self.folder / _KEEPING).glob("*")}

    def entered(self) -> None:
        """Of all bytes that were moved to their place the ledger knows, or they were let go."""
        with storage(self.folder):
            for note in (self.folder / _KEEPING).glob("*"):
                note.unlink(missing_ok=True)

    def clean(self) -> None:
        """Remove what was put aside and not kept, also by a run that was killed."""
        with storage(self.folder):
            for left in (self.folder / _INCOMING).glob("*"):
                left.unlink(missing_ok=True)

    def let_go(self, hashes: Collection[str]) -> None:
        """Remove bytes that an erasure took out of use."""
        with storage(self.folder):
            for sha256 in hashes:
                self.path(sha256).unlink(missing_ok=True)

    def _note(self, hashes: Collection[str]) -> None:
        """Before bytes are moved: who is killed then leaves their names, and none stay that no ledger knows and no erasure would see."""
        if not hashes:
            return
        notes = self.folder / _KEEPING
        with storage(self.folder):
            notes.mkdir(mode=0o700, exist_ok=True)
            for sha256 in hashes:
                (notes / sha256).touch(mode=0o600)
            sync(notes)

    def _put_aside(self, sha256: str, size: int, chunks: Iterator[bytes]) -> Staged:
        incoming = self.folder / _INCOMING
        with storage(self.folder):
            incoming.mkdir(mode=0o700, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=incoming)
        temporary = Path(name)
        try:
            written = self._write(descriptor, chunks)
            if written != sha256:
                raise ChangingError
            self._verify(temporary, sha256)
            reached(Point.BYTES_ASIDE)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return Staged(sha256, size, temporary)

    def _write(self, descriptor: int, chunks: Iterator[bytes]) -> str:
        digest = hashlib.sha256()
        with os.fdopen(descriptor, "wb", buffering=0) as out:
            for chunk in chunks:
                digest.update(chunk)
                rest = memoryview(chunk)
                with storage(self.folder):
                    while rest:
                        rest = rest[out.write(rest) :]
            with storage(self.folder):
                os.fchmod(out.fileno(), 0o400)
                os.fsync(out.fileno())
        return digest.hexdigest()

    def _verify(self, temporary: Path, sha256: str) -> None:
        with storage(self.folder), temporary.open("rb") as copy:
            written = hashlib.file_digest(copy, "sha256").hexdigest()
        if written != sha256:
            raise HarmoniaError(f"{self.folder}: the disk gives back other bytes than were written; check the disk, then run again")


def _chunks(source: int) -> Iterator[bytes]:
    """The bytes of an open file from its beginning. Raises `UnreadableError`."""
    try:
        os.lseek(source, 0, os.SEEK_SET)
        while chunk := os.read(source, _CHUNK):
            yield chunk
    except OSError as error:
        raise UnreadableError(error.strerror or type(error).__name__) from None
