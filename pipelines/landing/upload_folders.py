"""Put an uploaded delivery into the inbox, completely or not at all.

The files are written into `<inbox>/.incoming/<token>/`; then this folder is renamed. Belongs here: the names of the folders, and renaming.
Does not belong here: who may deliver (`portal`), reading the inbox (`walk`, which ignores `.incoming`). The folder is inside the inbox so
that both are on the same file system. Then renaming is a single step, and a run sees either all files or none.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from harmonia.errors import convert_storage_errors
from harmonia.registry import Registry
from harmonia.registry.ledger import read_deliveries
from pipelines.landing.file_names import UPLOAD_FOLDER, classify_file_name, make_printable_name
from pipelines.landing.receipts import StoredFile, hash_receipt_files
from sources.contract import DeliveryName


def get_upload_folder(inbox: Path, token: str) -> Path:
    """Return the folder that contains the files of an upload until the upload is put into the inbox or discarded."""
    return inbox / UPLOAD_FOLDER / token


def create_upload(inbox: Path, token: str) -> Path:
    """Create the folder of an upload and return it. Raises `HarmoniaError` if the inbox cannot be written."""
    path = get_upload_folder(inbox, token)
    with convert_storage_errors(path):
        path.mkdir(mode=0o700, parents=True)
    return path


def discard_upload(inbox: Path, token: str) -> None:
    """Remove an upload that was not put into the inbox."""
    shutil.rmtree(get_upload_folder(inbox, token), ignore_errors=True)


def hash_upload(folder: Path) -> tuple[str, list[dict[str, object]]]:
    """Return the hash that the ledger will have for the files in `folder` after landing (`Receipt.hash`).

    Also return the name, size and SHA-256 of each file.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    stored = {make_printable_name(path.name): StoredFile(_hash_file(path), classify_file_name(path.name)) for path in files}
    descriptions: list[dict[str, object]] = [
        {"name": make_printable_name(path.name), "size": path.stat().st_size, "sha256": stored[make_printable_name(path.name)].sha256}
        for path in files
    ]
    return hash_receipt_files(stored), descriptions


def find_next_delivery_name(inbox: Path, registry: Registry, institution: str, period: str) -> str:
    """Return the name of the next delivery for a period, according to the ledger and the inbox: the period itself, or its next version."""
    with registry.read() as session:
        versions = {
            delivery.version for delivery in read_deliveries(session) if (delivery.institution, delivery.period) == (institution, period)
        }
    names = (DeliveryName.parse(path.name) for path in (inbox / institution).glob("*"))
    versions |= {name.version for name in names if name is not None and name.period == period}
    return str(DeliveryName(period, max(versions, default=0) + 1))


def place_upload(inbox: Path, token: str, institution: str, delivery: str) -> bool:
    """Move the upload into the inbox by renaming its folder.

    Return True if the delivery is now in the inbox, even if an earlier call put it there. Return False if another delivery has the name.
    Raises `HarmoniaError` if the inbox cannot be written.
    """
    source, target = get_upload_folder(inbox, token), inbox / institution / delivery
    if not source.is_dir():
        return target.is_dir()
    with convert_storage_errors(target):
        target.parent.mkdir(exist_ok=True)
        try:
            for path in (*source.iterdir(), source):  # all bytes must be on the disk before the delivery becomes visible
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            source.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            return not source.is_dir()  # another call put it there meanwhile, or another delivery has the name
    return True


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
