"""Puts an uploaded delivery into the inbox as a whole: files are written into `<inbox>/.incoming/<token>/`, then the folder is renamed.

Belongs here: the names and the rename. Does not belong here: who may deliver (`portal`), reading the inbox (`walk`, which ignores
`.incoming`). The folder is inside the inbox so that it is on the same file system: the rename is atomic, and a run sees all files or
none.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from harmonia.errors import storage
from harmonia.registry import Registry
from harmonia.registry.ledger import deliveries
from pipelines.landing.names import INCOMING, kind_of, shown
from pipelines.landing.receipts import StoredFile, hash_of_files
from sources.contract import DeliveryName


def folder(inbox: Path, token: str) -> Path:
    """Return the folder that holds the files of an upload until the upload is placed or discarded."""
    return inbox / INCOMING / token


def create(inbox: Path, token: str) -> Path:
    """Create the folder of an upload. Raises `HarmoniaError` if the inbox cannot be written."""
    made = folder(inbox, token)
    with storage(made):
        made.mkdir(mode=0o700, parents=True)
    return made


def discard(inbox: Path, token: str) -> None:
    """Remove an upload that was not placed."""
    shutil.rmtree(folder(inbox, token), ignore_errors=True)


def receipt_hash(where: Path) -> tuple[str, list[dict[str, object]]]:
    """Return the hash that the ledger will have for these files as a delivery (`Receipt.hash`), and name, size and sha256 of each file."""
    files = sorted(path for path in where.iterdir() if path.is_file())
    stored = {shown(path.name): StoredFile(_file_hash(path), kind_of(path.name)) for path in files}
    listed: list[dict[str, object]] = [
        {"name": shown(path.name), "size": path.stat().st_size, "sha256": stored[shown(path.name)].sha256} for path in files
    ]
    return hash_of_files(stored), listed


def next_name(inbox: Path, registry: Registry, institution: str, period: str) -> str:
    """Return the name of the next delivery of a period, by ledger and inbox: the period itself, or its next version."""
    with registry.read() as session:
        known = {one.version for one in deliveries(session) if (one.institution, one.period) == (institution, period)}
    names = (DeliveryName.parse(path.name) for path in (inbox / institution).glob("*"))
    known |= {name.version for name in names if name is not None and name.period == period}
    return str(DeliveryName(period, max(known, default=0) + 1))


def place(inbox: Path, token: str, institution: str, delivery: str) -> bool:
    """Rename the upload into the inbox. Return True once the upload is there, also by an earlier call, and False if another delivery has
    the name.

    Raises `HarmoniaError` if the inbox cannot be written.
    """
    source, target = folder(inbox, token), inbox / institution / delivery
    if not source.is_dir():
        return target.is_dir()
    with storage(target):
        target.parent.mkdir(exist_ok=True)
        try:
            for path in (*source.iterdir(), source):  # on disk before it shows
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            source.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            return not source.is_dir()  # placed by another call meanwhile, or another delivery has the name
    return True


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
