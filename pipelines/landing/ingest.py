"""Ingestion: store the bytes of the files in an inbox, and enter receipts into the registry.

Belongs here: deciding which files are ingested and which are skipped. Does not belong here: reading their content.

First all files are staged. Then they are checked again, and files that have changed meanwhile are skipped. Then the bytes are moved into
the landing store, and all receipts are recorded in one transaction, so that an interrupted run leaves nothing incomplete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.home import Home
from harmonia.lock import lock_landing_store
from harmonia.registry import Registry
from harmonia.registry.ledger import now, read_hashes_of_erased_files, read_removed_hashes, read_required_hashes, select_unknown_hashes
from harmonia.registry.tables import Audit
from harmonia.user import find_current_user
from pipelines.landing.database import DatabaseUnreachableError, dump_database, find_database_pointer, make_dump_name
from pipelines.landing.file_names import classify_file_name, make_printable_name
from pipelines.landing.receipts import (
    CurrentFiles,
    LandedDelivery,
    StagedDelivery,
    StoredFile,
    list_current_files,
    list_landed_deliveries,
    record_landing,
)
from pipelines.landing.store import FileStillChangingError, FileUnreadableError, LandingStore, StagedBytes
from pipelines.landing.walk import DeliveryFolder, FileStat, Finding, InboxWalk, open_folder, walk_inbox

_FRESH_SECONDS = 2.0  # seconds; a file that was modified later than this may still be written to
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
REPLACED = "replaced landed bytes that were altered or missing"
_MAX_FILE_BYTES = 1 << 30  # bytes of a file; four times as many as a reader reads
_MAX_POINTER_BYTES = 4096  # bytes of a .url file that are read


@dataclass(frozen=True)
class LandingReport:
    """The result of landing: the deliveries with new content, findings for `schemas.findings.build_findings`, and counts."""

    new: list[LandedDelivery]
    findings: list[Finding]
    deliveries: int  # landed by all runs
    files: int  # in these deliveries
    new_files: int  # stored by this run
    new_bytes: int
    skipped: int  # files that changed while being read, or could not be opened


def land_deliveries(inbox: Path, home: Home, registry: Registry, *, settle_seconds: float = 0.3) -> LandingReport:
    """Store the bytes of the new files of `inbox` in `home`, and enter their receipts into `registry`.

    If a new file was modified within the last two seconds, it may still be written to. Then this waits until `settle_seconds` have passed
    since it began, and checks the files again. Raises `HarmoniaError`, and records nothing, if the inbox does not exist, the disk is full,
    or another process is landing for more than a minute. Problems inside the inbox become findings.
    """
    home.create()
    if home.root.resolve().is_relative_to(inbox.resolve()):
        raise HarmoniaError(f"home {home.root} is inside the inbox {inbox}: name another folder with --home (or HARMONIA_HOME)")
    moment = now()
    with lock_landing_store(home):
        inbox_pass = _InboxPass(inbox, LandingStore(home.landing))
        inbox_pass.store.remove_uncommitted_bytes()
        try:
            with registry.read() as session:
                before, erased = list_current_files(session), read_removed_hashes(session)
                inbox_pass.store.remove_bytes(
                    read_hashes_of_erased_files(session) | select_unknown_hashes(session, inbox_pass.store.list_unrecorded_hashes())
                )
            inbox_pass.store.forget_unrecorded_hashes()
            staged = inbox_pass.stage_deliveries(before, erased)
            inbox_pass.wait_until_settled(settle_seconds)
            for delivery in staged:
                inbox_pass.skip_changed_files(delivery)
            sizes = inbox_pass.commit_staged_files(staged)
            with registry.read() as session:
                inbox_pass.report_replaced_bytes(staged, read_required_hashes(session))
        finally:
            inbox_pass.store.remove_uncommitted_bytes()
        with registry.write() as session:
            recorded = record_landing(session, inbox_pass.found, staged, sizes, moment)
            session.add_all(Audit(at=moment, who=find_current_user(), action=REPLACED, subject=subject) for subject in inbox_pass.replaced)
        inbox_pass.store.forget_unrecorded_hashes()
    all_deliveries = list_landed_deliveries(registry, home)
    return LandingReport(
        new=[delivery for delivery in all_deliveries if (delivery.institution, str(delivery.name)) in recorded.new],
        findings=recorded.findings,
        deliveries=len(all_deliveries),
        files=sum(len(delivery.files) for delivery in all_deliveries),
        new_files=recorded.new_files,
        new_bytes=recorded.new_bytes,
        skipped=sum(len(delivery.skipped) for delivery in staged),
    )


class _InboxPass:
    """One pass over an inbox, with the findings and the staged files of this pass."""

    def __init__(self, inbox: Path, store: LandingStore) -> None:
        self.inbox, self.store = inbox, store
        self.started, self._begun = time.time(), time.monotonic()
        self.found: InboxWalk = walk_inbox(inbox)
        self.staged: dict[str, StagedBytes] = {}
        self.replaced: list[str] = []  # bytes that were damaged or missing in the landing store, and were delivered again
        self._unreachable: dict[bytes, DatabaseUnreachableError] = {}  # by content of the pointer file; each database is tried once per run

    def stage_deliveries(self, files_before: CurrentFiles, erased_hashes: Collection[str] = ()) -> list[StagedDelivery]:
        """Stage the files of all deliveries in the inbox.

        `files_before` comes from `list_current_files`. `erased_hashes` are the hashes of bytes that an erasure removed. A file of a
        delivery that still has these bytes is not stored again.
        """
        deliveries = []
        for folder in self.found.folders:
            delivery = StagedDelivery(folder, {}, set())
            known = {file.sha256 for file in files_before.get(delivery.key, {}).values()}.intersection(erased_hashes)
            for name, stat in folder.files.items():
                kind = "nested" if "/" in name else classify_file_name(name)
                if stat.size > _MAX_FILE_BYTES:
                    self._skip_file(delivery, make_printable_name(name), "delivery-file-too-large", f"> {_MAX_FILE_BYTES >> 20:,} MiB")
                    continue
                try:
                    self._add_file(delivery, make_printable_name(name), kind, self._stage_file(folder, name, stat, known))
                except FileStillChangingError:
                    self._skip_file(delivery, make_printable_name(name), "delivery-file-changing")
                except FileUnreadableError as error:
                    self._skip_file(delivery, make_printable_name(name), "delivery-file-unreadable", str(error))
            self._dump_database(delivery, files_before.get(delivery.key, {}))
            deliveries.append(delivery)
        return deliveries

    def wait_until_settled(self, settle_seconds: float) -> None:
        """Wait if a new file was modified so recently that its sender may still be writing to it."""
        youngest = max((stat.changed[0] for folder in self.found.folders for stat in folder.files.values()), default=0)
        if any(staged.temporary is not None for staged in self.staged.values()) and youngest > (self.started - _FRESH_SECONDS) * 1e9:
            time.sleep(max(0.0, self._begun + settle_seconds - time.monotonic()))  # not wall-clock time, which may be set back

    def skip_changed_files(self, delivery: StagedDelivery) -> None:
        """Look at the files of a delivery again, and skip those that have changed."""
        for name, stat in delivery.folder.files.items():
            if make_printable_name(name) in delivery.files and not self._is_file_unchanged(delivery.folder, name, stat):
                self._skip_file(delivery, make_printable_name(name), "delivery-file-changing")
        pointer = find_database_pointer(delivery.folder.institution, delivery.skipped)
        if pointer is not None:  # the dump is skipped with its pointer
            delivery.files.pop(make_dump_name(pointer), None)
            delivery.skipped.add(make_dump_name(pointer))

    def commit_staged_files(self, staged: list[StagedDelivery]) -> dict[str, int]:
        """Move the staged files of the deliveries into the landing store. Return the size of each file, by hash."""
        wanted = {file.sha256 for delivery in staged for file in delivery.files.values()} & self.staged.keys()
        self.store.commit_bytes([self.staged[sha256] for sha256 in sorted(wanted)])
        return {sha256: self.staged[sha256].size for sha256 in wanted}

    def report_replaced_bytes(self, staged: list[StagedDelivery], required_hashes: Collection[str]) -> None:
        """Add a finding for each file that was received again after its bytes in the landing store had been lost or damaged.

        `required_hashes` are the hashes of the bytes that the landing store must have.
        """
        for delivery in staged:
            for name, file in delivery.files.items():
                bytes_ = self.staged.get(file.sha256)  # None for a dump that was landed earlier
                if file.sha256 in required_hashes and bytes_ is not None and bytes_.temporary is not None:
                    self.found.add_file_finding("landing-bytes-replaced", None, None, f"{delivery.key[0]}/{delivery.key[1]}/{name}")
                    self.replaced.append(f"{delivery.key[0]} {delivery.key[1]}: {file.sha256}")

    def _stage_file(self, folder: DeliveryFolder, name: str, stat: FileStat, erased_hashes: Collection[str]) -> StagedBytes:
        """Stage a file.

        Raises `FileStillChangingError` if the file changed while it was read, and `FileUnreadableError` if it cannot be opened.
        """
        *parts, base = name.split("/")
        try:
            with open_folder(self.inbox, folder.institution, str(folder.name), *parts) as folder_descriptor:
                file = os.open(base, _OPEN_FLAGS, dir_fd=folder_descriptor)
        except FileNotFoundError:
            raise FileStillChangingError from None
        except OSError as error:
            raise FileUnreadableError(error.strerror or type(error).__name__) from None
        try:
            if FileStat.from_status(os.fstat(file)) != stat:
                raise FileStillChangingError
            staged = self.store.stage_file(file, erased_hashes)
            if FileStat.from_status(os.fstat(file)) != stat:
                raise FileStillChangingError
            return staged
        finally:
            os.close(file)

    def _is_file_unchanged(self, folder: DeliveryFolder, name: str, stat: FileStat) -> bool:
        """Return whether a file still has the size, times and inode that it had when the inbox was listed."""
        *parts, base = name.split("/")
        try:
            with open_folder(self.inbox, folder.institution, str(folder.name), *parts) as folder_descriptor:
                return FileStat.from_status(os.stat(base, dir_fd=folder_descriptor, follow_symlinks=False)) == stat
        except OSError:
            return False

    def _add_file(self, delivery: StagedDelivery, name: str, kind: str, staged: StagedBytes) -> None:
        """Add a staged file to a delivery."""
        delivery.files[name] = StoredFile(staged.sha256, kind)
        if staged.temporary is not None or staged.sha256 not in self.staged:
            self.staged[staged.sha256] = staged  # two files with equal bytes: one copy is used, the other is removed later

    def _skip_file(self, delivery: StagedDelivery, name: str, rule: str, detail: str = "") -> None:
        """Skip a file of a delivery, with a finding of `rule`."""
        delivery.files.pop(name, None)
        delivery.skipped.add(name)
        self.found.add_file_finding(rule, *delivery.key, name, detail)

    def _dump_database(self, delivery: StagedDelivery, files_before: Mapping[str, StoredFile]) -> None:
        """Dump the database that the pointer file of a delivery names. If the pointer file is unchanged since its dump was landed, keep the
        dump.
        """
        pointer = find_database_pointer(delivery.folder.institution, set(delivery.files) | delivery.skipped)
        if pointer is None:
            return
        name = make_dump_name(pointer)
        if pointer in delivery.skipped:
            delivery.skipped.add(name)
        elif name in files_before and files_before.get(pointer) == delivery.files[pointer]:
            delivery.files[name] = files_before[name]
        else:
            try:
                self._add_file(
                    delivery,
                    name,
                    "dump",
                    self.store.stage_bytes(self._dump_database_unless_unreachable(self._read_pointer(delivery.files[pointer].sha256))),
                )
            except DatabaseUnreachableError as error:
                self.found.add_file_finding("delivery-database-unreachable", *delivery.key, pointer, str(error))
                delivery.skipped.add(name)
                if name in files_before:  # pointer and dump belong together: keep both earlier versions
                    delivery.skipped.add(pointer)
                    del delivery.files[pointer]

    def _dump_database_unless_unreachable(self, pointer_content: bytes) -> bytes:
        """Return the dump of a database. If it could not be reached before in this pass, raise the same error without trying again."""
        if pointer_content in self._unreachable:
            raise self._unreachable[pointer_content]
        try:
            return dump_database(pointer_content)
        except DatabaseUnreachableError as error:
            self._unreachable[pointer_content] = error
            raise

    def _read_pointer(self, sha256: str) -> bytes:
        staged = self.staged[sha256]
        with convert_storage_errors(self.store.folder), (staged.temporary or self.store.get_path(sha256)).open("rb") as file:
            return file.read(_MAX_POINTER_BYTES)
