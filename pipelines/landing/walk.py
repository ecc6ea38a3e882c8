"""List the content of an inbox without opening files.

Belongs here: walking through the folders `<inbox>/<institution>/<delivery>/`, findings on files and folders at a wrong place. Does not
belong here: copying files (`store.py`), comparing them with earlier runs (`ingest.py`, `receipts.py`).

Symbolic links are never followed, even within the inbox: a link could show one institution's data in another institution's feedback. Each
folder is opened relative to its parent folder, so that nobody can replace it by a link meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harmonia.errors import HarmoniaError
from harmonia.registry.ledger import YARDSTICKS
from pipelines.landing.file_names import IGNORED_FOLDERS, classify_file_name, make_printable_name, needs_escaping
from sources import contract
from sources.contract import DeliveryName

Finding = dict[str, Any]
Entry = tuple[str, os.stat_result | None]
Location = tuple[str | None, DeliveryName | None]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_DEPTH = 16  # levels of folders within a delivery; deeper folders are reported, not read
_MAX_ENTRIES = 1_000  # files and folders of a delivery that are listed; those that the contract declares come first


@dataclass(frozen=True)
class FileStat:
    """Attributes of a file that stay the same as long as no process writes to the file."""

    size: int
    changed: tuple[int, int]  # modification and status change, ns
    place: tuple[int, int]  # device, inode

    @classmethod
    def from_status(cls, status: os.stat_result) -> FileStat:
        """Take the attributes of a file from an `os.stat_result`."""
        return cls(status.st_size, (status.st_mtime_ns, status.st_ctime_ns), (status.st_dev, status.st_ino))


@dataclass
class DeliveryFolder:
    """A delivery folder with its regular files, by their path in the folder (not escaped)."""

    institution: str
    name: DeliveryName
    files: dict[str, FileStat] = field(default_factory=dict)
    closed: bool = False  # something in it could not be opened, so a file that is not found may still exist
    seen: int = 0  # files and folders in it

    def compute_fingerprint(self) -> str:
        """Return a hash of the paths, sizes, times and inodes of the files in the folder. No file is opened."""
        stats = sorted((name, file.size, file.changed, file.place) for name, file in self.files.items())
        return hashlib.sha256(repr(stats).encode()).hexdigest()[:16]


@dataclass
class InboxWalk:
    """The result of listing an inbox.

    `folders` has the delivery folders, ordered by institution, period and version. `closed` has the institutions whose folder could not be
    opened.
    """

    folders: list[DeliveryFolder] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)

    def add_entry_finding(self, rule: str, location: Location = (None, None), name: str | None = None, detail: str = "") -> None:
        """Add a finding on a file or folder in the inbox, in an institution's folder or in a delivery folder. `name` is its name before
        escaping.
        """
        institution, delivery = location
        self.add_file_finding(
            rule, institution, str(delivery) if delivery else None, make_printable_name(name) if name is not None else None, detail
        )

    def add_file_finding(self, rule: str, institution: str | None, delivery: str | None, file: str | None = None, detail: str = "") -> None:
        """Add a finding on a file of a delivery.

        `file` is the printable name of the file. A yardstick belongs to no institution, so the finding names it by its path in the inbox.
        """
        if institution == YARDSTICKS:
            institution, delivery, file = None, None, "/".join(part for part in (institution, delivery, file) if part)
        self.findings.append({"institution": institution, "delivery": delivery, "file": file, "rule": rule, "detail": detail or None})


def list_declared_files(institution: str) -> Sequence[contract.FileSpec]:
    """Return the files that the contract of an institution declares. There are none for yardsticks, which have no contract."""
    return () if institution == YARDSTICKS else contract.load(institution).files


@contextmanager
def open_folder(inbox: Path, *parts: str) -> Iterator[int]:
    """Open the folder `inbox/parts…` without following links, and yield its descriptor. Raises `OSError`."""
    descriptor = os.open(inbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def walk_inbox(inbox: Path) -> InboxWalk:
    """List the deliveries in an inbox.

    Raises `HarmoniaError` if the inbox does not exist or cannot be opened. Problems inside the inbox become findings.
    """
    result = InboxWalk()
    known = contract.institutions()
    try:
        with open_folder(inbox) as top:
            entries = _list_folder_entries(top)
    except FileNotFoundError:
        raise HarmoniaError(f"inbox {inbox} does not exist: create the folder, or name another with --inbox (or HARMONIA_INBOX)") from None
    except OSError as error:
        raise HarmoniaError(f"inbox {inbox} cannot be opened ({error.strerror}): name a folder that this user may read") from None
    for name, status in entries:
        if name in IGNORED_FOLDERS and _is_folder(status):
            continue
        if not _is_folder(status):
            _add_finding_on_stray_entry(result, (None, None), name, status)
        elif name in known or name == YARDSTICKS:
            _walk_institution(result, inbox, name)
        else:
            near = name.strip().lower()
            result.add_entry_finding("inbox-unknown-institution", name=name, detail=f"did you mean {near}?" if near in known else "")
    result.folders.sort(key=lambda folder: (folder.institution, folder.name))
    return result


def _walk_institution(inbox_walk: InboxWalk, inbox: Path, institution: str) -> None:
    """List the delivery folders of an institution."""
    location = (institution, None)
    try:
        with open_folder(inbox, institution) as descriptor:
            entries = _list_folder_entries(descriptor)
    except OSError as error:
        inbox_walk.closed.add(institution)
        inbox_walk.add_entry_finding("delivery-file-unreadable", location, institution, error.strerror or "")
        return
    cadence = None if institution == YARDSTICKS else contract.load(institution).cadence
    for name, status in entries:
        delivery = DeliveryName.parse(name, cadence)
        if not _is_folder(status):
            _add_finding_on_stray_entry(inbox_walk, location, name, status)
        elif delivery is None:
            inbox_walk.add_entry_finding("delivery-name-no-period", location, name)
        else:
            _walk_delivery(inbox_walk, inbox, DeliveryFolder(institution, delivery))


def _walk_delivery(inbox_walk: InboxWalk, inbox: Path, folder: DeliveryFolder) -> None:
    """List the files of a delivery folder. Add a finding if there are too many or none."""
    declared = {n.lower() for file in list_declared_files(folder.institution) for n in (file.name, *file.alternatives)}
    findings_before = len(inbox_walk.findings)
    inbox_walk.folders.append(folder)
    _walk_files(inbox_walk, inbox, folder, (), declared)
    if folder.seen > _MAX_ENTRIES:
        folder.closed = True
        inbox_walk.add_entry_finding("delivery-too-many-files", (folder.institution, folder.name), detail=f"> {_MAX_ENTRIES:,}")
    has_files = any("/" in name or classify_file_name(name) != "system" for name in folder.files)
    if not has_files and all(f["rule"] == "delivery-system-file" for f in inbox_walk.findings[findings_before:]):
        inbox_walk.add_entry_finding("delivery-empty", (folder.institution, folder.name))


def _walk_files(inbox_walk: InboxWalk, inbox: Path, folder: DeliveryFolder, parts: tuple[str, ...], declared: set[str]) -> None:
    """List the files in a delivery folder and in its subfolders. Files in subfolders are stored too, although they are at a wrong place."""
    location = (folder.institution, folder.name)
    subfolder = "/".join(parts)
    try:
        with open_folder(inbox, folder.institution, str(folder.name), *parts) as descriptor:
            entries = _list_folder_entries(descriptor)
    except OSError as error:
        folder.closed = True
        inbox_walk.add_entry_finding("delivery-file-unreadable", location, subfolder or str(folder.name), error.strerror or "")
        return
    for name, status in sorted(entries, key=lambda entry: entry[0].lower() not in declared):
        folder.seen += 1
        if folder.seen > _MAX_ENTRIES:
            return
        path = f"{subfolder}/{name}" if parts else name
        if status is None:
            folder.closed = True
            inbox_walk.add_entry_finding("delivery-file-unreadable", location, path)
        elif stat.S_ISDIR(status.st_mode):
            if not parts:
                inbox_walk.add_entry_finding(
                    "delivery-folder-for-file" if name.lower() in declared else "delivery-nested-folder", location, path
                )
            if len(parts) < _MAX_DEPTH:
                _walk_files(inbox_walk, inbox, folder, (*parts, name), declared)
            else:
                inbox_walk.add_entry_finding("delivery-nested-folder", location, path, "too deep: not stored")
        elif not stat.S_ISREG(status.st_mode):
            inbox_walk.add_entry_finding("delivery-special-file", location, path, _describe_file_type(status.st_mode))
        else:
            _add_file_with_findings(inbox_walk, folder, path, status)


def _add_file_with_findings(inbox_walk: InboxWalk, folder: DeliveryFolder, path: str, status: os.stat_result) -> None:
    """Add a file to its delivery, with a finding if the operating system created it or if its name must be escaped."""
    location = (folder.institution, folder.name)
    folder.files[path] = FileStat.from_status(status)
    if "/" not in path and classify_file_name(path) == "system":
        inbox_walk.add_entry_finding("delivery-system-file", location, path)
    elif needs_escaping(path):
        inbox_walk.add_entry_finding("delivery-file-name", location, path)


def _add_finding_on_stray_entry(inbox_walk: InboxWalk, location: Location, name: str, status: os.stat_result | None) -> None:
    """Add a finding on a file, link or device at a place where only folders are expected."""
    if status is not None and not stat.S_ISREG(status.st_mode):
        inbox_walk.add_entry_finding("delivery-special-file", location, name, _describe_file_type(status.st_mode))
    else:
        inbox_walk.add_entry_finding("delivery-system-file" if classify_file_name(name) == "system" else "inbox-stray-file", location, name)


def _list_folder_entries(descriptor: int) -> list[Entry]:
    """List the files and folders in an open folder, by name, each with its status. The status is None if it cannot be read.

    Raises `OSError`.
    """
    return [(name, _read_file_status(descriptor, name)) for name in sorted(os.listdir(descriptor), key=os.fsencode)]


def _is_folder(status: os.stat_result | None) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode)


def _read_file_status(descriptor: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except OSError:
        return None


def _describe_file_type(mode: int) -> str:
    kinds = ((stat.S_ISLNK, "symbolic link"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    return next((name for is_one, name in kinds if is_one(mode)), "device")
