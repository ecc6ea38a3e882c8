"""Put a pulled delivery into the inbox: it is built in a separate folder, named, and moved in one step.

Belongs here: the folder in which deliveries are built, the name that a delivery gets, whether it is new. Whenever the process is killed,
the inbox contains either the whole delivery or nothing of it, and the next pull finds the delivery again.
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

from harmonia.atomic_files import sync_to_disk
from harmonia.errors import convert_storage_errors
from pipelines.landing.file_names import PULL_FOLDER, classify_file_name, make_printable_name
from pipelines.landing.receipts import CurrentFiles
from pipelines.pull.errors import PullError
from sources.contract import DeliveryName

_MAX_ATTEMPTS = 3  # to find a free name, if another process takes the chosen one meanwhile


@contextmanager
def create_staging_folder(inbox: Path, institution: str) -> Iterator[Path]:
    """Create an empty folder for the pull of an institution, and remove it after the block. It is in the same file system as the inbox.

    What a killed pull left there is removed first. The caller must hold `lock_pulls`.
    """
    parent = inbox / PULL_FOLDER
    with convert_storage_errors(parent):
        parent.mkdir(mode=0o700, exist_ok=True)
    folder = parent / institution
    shutil.rmtree(folder, ignore_errors=True)
    with convert_storage_errors(folder):
        folder.mkdir(mode=0o700, exist_ok=True)  # a process of a killed pull may still be running
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_delivery_folder(parent: Path, delivery: str) -> Path:
    """Make a new folder for the files of one delivery, in the folder of the institution's pull (`parent`)."""
    with convert_storage_errors(parent):
        return Path(tempfile.mkdtemp(prefix=f"{delivery}-", dir=parent))


def hash_delivery_content(hash_by_file_name: Mapping[str, str]) -> str:
    """Return a hash of the content of a delivery. `hash_by_file_name` maps the name of each file to its SHA-256."""
    return hashlib.sha256(
        json.dumps(sorted((make_printable_name(name), sha256) for name, sha256 in hash_by_file_name.items())).encode()
    ).hexdigest()


def put_delivery_into_inbox(
    inbox: Path,
    institution: str,
    offered_name: DeliveryName,
    folder: Path,
    content_hash: str,
    landed_files: CurrentFiles,
    pulled_before: bool,
) -> tuple[str, bool]:
    """Move a folder with a delivery into the inbox. Return the name of the delivery with this content, and whether it is new there.

    If a delivery with the offered name and other content exists (in the inbox or landed) or was pulled earlier, this one becomes the next
    version. `content_hash` is the hash of the files in `folder`. `landed_files` has the files of landed deliveries. `pulled_before` says
    whether a delivery with the offered name was pulled earlier with other content.
    """
    for _ in range(_MAX_ATTEMPTS):
        versions = _find_existing_versions(inbox, institution, offered_name.period, landed_files)
        latest = max(versions, default=0)
        for version in {latest} if pulled_before else {latest, offered_name.version}:
            name = DeliveryName(offered_name.period, version)
            if version in versions and _hash_delivery_version(inbox, institution, name, landed_files) == content_hash:
                return str(name), False
        name = DeliveryName(offered_name.period, latest + 1 if pulled_before or offered_name.version in versions else offered_name.version)
        if _move_folder(folder, inbox / institution / str(name)):
            return str(name), True
    raise PullError("pull-inbox", "another process writes there too")


def _find_existing_versions(inbox: Path, institution: str, period: str, landed_files: CurrentFiles) -> set[int]:
    """Return the versions of a period that are in the inbox or were landed."""
    institution_folder = inbox / institution
    in_inbox = {path.name for path in institution_folder.iterdir()} if institution_folder.is_dir() else set()
    names = in_inbox | {delivery for owner, delivery in landed_files if owner == institution}
    parsed = (DeliveryName.parse(name) for name in names)
    return {name.version for name in parsed if name is not None and name.period == period}


def _hash_delivery_version(inbox: Path, institution: str, name: DeliveryName, landed_files: CurrentFiles) -> str:
    """Return the hash of the content of a version: of its folder in the inbox, or, if it is no longer there, of its landed files."""
    folder = inbox / institution / str(name)
    if folder.is_dir():
        files = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink() and classify_file_name(path.name) == "file"]
        return hash_delivery_content({path.name: _hash_file(path) for path in files})
    files_of_delivery = landed_files.get((institution, str(name)), {})
    return hash_delivery_content({file: stored.sha256 for file, stored in files_of_delivery.items() if stored.kind == "file"})


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move_folder(folder: Path, target: Path) -> bool:
    """Move a complete folder to `target`, and wait until it is on the disk. Return False if something is already there.

    Raises `PullError` if the folder cannot be moved.
    """
    try:
        target.parent.mkdir(exist_ok=True)
        folder.chmod(0o750)
        sync_to_disk(folder)
        folder.rename(target)
        sync_to_disk(target.parent)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            return False
        raise PullError("pull-inbox", error.strerror or type(error).__name__) from None
    return True
