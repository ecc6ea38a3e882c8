"""Puts a pulled delivery into the inbox: it is built in a separate folder, named, and moved in one step.

Belongs here: the folder in which deliveries are built, the name that a delivery gets, whether it is new at all. Whenever the process is
killed, the inbox has a delivery completely or not at all, and the next pull finds what came.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from harmonia.errors import storage
from harmonia.swap import sync
from pipelines.landing.names import STAGING, kind_of, shown
from pipelines.landing.receipts import CurrentFiles
from pipelines.pull.failure import PullError
from sources.contract import DeliveryName

_TRIES = 3  # at a name that somebody else takes meanwhile


@contextmanager
def staging(inbox: Path, institution: str) -> Iterator[Path]:
    """A folder of this institution's pull, in the inbox's file system; without what a killed pull left. Use it under `pull_lock`."""
    parent = inbox / STAGING
    with storage(parent):
        parent.mkdir(mode=0o700, exist_ok=True)
    folder = parent / institution
    shutil.rmtree(folder, ignore_errors=True)
    with storage(folder):
        folder.mkdir(mode=0o700, exist_ok=True)  # a process of the killed pull may not have ended yet
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_delivery_folder(staging_folder: Path, delivery: str) -> Path:
    """Make a new folder for the files of one delivery in the staging folder."""
    with storage(staging_folder):
        return Path(tempfile.mkdtemp(prefix=f"{delivery}-", dir=staging_folder))


def hash_content(hashes: Mapping[str, str]) -> str:
    """Return a hash over the names and SHA-256 of files."""
    return hashlib.sha256(json.dumps(sorted((shown(name), sha256) for name, sha256 in hashes.items())).encode()).hexdigest()


def put_delivery(
    inbox: Path, institution: str, offered: DeliveryName, folder: Path, new: str, landed: CurrentFiles, again: bool
) -> tuple[str, bool]:
    """Move a folder with the content `new` into the inbox. Return the name of the delivery with this content, and whether it is new.

    A changed delivery becomes the next version. `again`: this name was pulled before with other content.
    """
    for _ in range(_TRIES):
        versions = _existing_versions(inbox, institution, offered.period, landed)
        latest = max(versions, default=0)
        for version in {latest} if again else {latest, offered.version}:
            name = DeliveryName(offered.period, version)
            if version in versions and _content_of(inbox, institution, name, landed) == new:
                return str(name), False
        name = DeliveryName(offered.period, latest + 1 if again or offered.version in versions else offered.version)
        if _move_folder(folder, inbox / institution / str(name)):
            return str(name), True
    raise PullError("pull-inbox", "another process writes there too")


def _existing_versions(inbox: Path, institution: str, period: str, landed: CurrentFiles) -> set[int]:
    """Return the versions of a period that are in the inbox or were landed."""
    place = inbox / institution
    there = {path.name for path in place.iterdir()} if place.is_dir() else set()
    names = there | {delivery for whose, delivery in landed if whose == institution}
    parsed = (DeliveryName.parse(name) for name in names)
    return {name.version for name in parsed if name is not None and name.period == period}


def _content_of(inbox: Path, institution: str, name: DeliveryName, landed: CurrentFiles) -> str:
    """Return the content hash of a version: of its folder in the inbox, else as it was landed."""
    folder = inbox / institution / str(name)
    if folder.is_dir():
        files = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink() and kind_of(path.name) == "file"]
        return hash_content({path.name: _hash_file(path) for path in files})
    files_landed = landed.get((institution, str(name)), {})
    return hash_content({file: stored.sha256 for file, stored in files_landed.items() if stored.kind == "file"})


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move_folder(folder: Path, target: Path) -> bool:
    """Move a complete folder to its place, durably. Return False if something is there already. Raises `PullError` if it may not be
    moved there."""
    try:
        target.parent.mkdir(exist_ok=True)
        folder.chmod(0o750)
        sync(folder)
        folder.rename(target)
        sync(target.parent)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise PullError("pull-inbox", error.strerror or type(error).__name__) from None
    return True
