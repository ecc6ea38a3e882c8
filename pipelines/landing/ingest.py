"""Ingestion: from an inbox to bytes in the store and receipts in the registry.

Belongs here: which files are ingested or skipped. Does not belong here: reading their content.

All files are staged first, then checked again; files that changed meanwhile are skipped. Then the bytes are committed and the receipts
recorded in one transaction, so that an interrupted run leaves nothing incomplete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harmonia.errors import HarmoniaError, storage
from harmonia.home import Home
from harmonia.lock import landing_lock
from harmonia.registry import Registry
from harmonia.registry.ledger import erased_unread, now, removed_hashes, required_hashes, unknown_hashes
from harmonia.registry.tables import Audit
from harmonia.user import current_user
from pipelines.landing.database import UnreachableError, dump_database, dump_name, find_pointer
from pipelines.landing.names import kind_of, shown
from pipelines.landing.receipts import CurrentFiles, LandedDelivery, StagedDelivery, StoredFile, current_files, landed, record_landing
from pipelines.landing.store import ChangingError, LandingStore, StagedBytes, UnreadableError
from pipelines.landing.walk import DeliveryFolder, FileStat, Finding, InboxWalk, open_folder, walk

_FRESH = 2.0  # seconds: a file modified more recently may stat be written to
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
REPLACED = "replaced landed bytes that were altered or missing"
_LARGEST = 1 << 30  # bytes of a file: four times the limit of the readers
_LONGEST_POINTER = 4096  # bytes of a .url file that are read


@dataclass(frozen=True)
class LandingReport:
    """The result of landing: the deliveries with new content, findings for `schemas.findings.frame`, and counts."""

    new: list[LandedDelivery]
    findings: list[Finding]
    deliveries: int  # landed by all runs
    files: int  # in these deliveries
    new_files: int  # stored by this run
    new_bytes: int
    skipped: int  # files that changed while being read, or could not be opened


def land_deliveries(inbox: Path, home: Home, registry: Registry, *, settle: float = 0.3) -> LandingReport:
    """Ingest new files of `inbox`: bytes into the store of `home`, receipts into `registry`. Idempotent.

    New files modified within the last two seconds are watched for `settle` seconds, to detect copying in progress.
    Raises `HarmoniaError`, and records nothing, if the inbox is missing, the disk is full, or another process is landing for more than a
    minute. Problems inside the inbox are findings.
    """
    home.create()
    if home.root.resolve().is_relative_to(inbox.resolve()):
        raise HarmoniaError(f"home {home.root} is inside the inbox {inbox}: name another folder with --home (or HARMONIA_HOME)")
    moment = now()
    with landing_lock(home):
        work = _InboxPass(inbox, LandingStore(home.landing))
        work.store.clean()
        try:
            with registry.read() as session:
                before, erased = current_files(session), removed_hashes(session)
                work.store.remove(erased_unread(session) | unknown_hashes(session, work.store.unrecorded()))
            work.store.recorded()
            staged = work.stage(before, erased)
            work.wait_until_settled(settle)
            for one in staged:
                work.check_unchanged(one)
            sizes = work.commit(staged)
            with registry.read() as session:
                work.note_replaced(staged, required_hashes(session))
        finally:
            work.store.clean()
        with registry.write() as session:
            recorded = record_landing(session, work.found, staged, sizes, moment)
            session.add_all(Audit(at=moment, who=current_user(), action=REPLACED, subject=subject) for subject in work.replaced)
        work.store.recorded()
    every = landed(registry, home)
    return LandingReport(
        new=[one for one in every if (one.institution, str(one.name)) in recorded.new],
        findings=recorded.findings,
        deliveries=len(every),
        files=sum(len(one.files) for one in every),
        new_files=recorded.new_files,
        new_bytes=recorded.new_bytes,
        skipped=sum(len(one.skipped) for one in staged),
    )


class _InboxPass:
    """One pass over an inbox, with its findings and staged files."""

    def __init__(self, inbox: Path, store: LandingStore) -> None:
        self.inbox, self.store = inbox, store
        self.started, self._begun = time.time(), time.monotonic()
        self.found: InboxWalk = walk(inbox)
        self.staged: dict[str, StagedBytes] = {}
        self.replaced: list[str] = []  # landed bytes that were damaged or missing and were delivered again
        self._unreachable: dict[bytes, UnreachableError] = {}  # by pointer; each database is tried once per run

    def stage(self, before: CurrentFiles, erased: Collection[str] = ()) -> list[StagedDelivery]:
        """Stage the files of all deliveries, except unchanged files whose bytes an erasure removed (`erased`)."""
        deliveries = []
        for folder in self.found.folders:
            one = StagedDelivery(folder, {}, set())
            known = {file.sha256 for file in before.get(one.place, {}).values()}.intersection(erased)
            for name, stat in folder.files.items():
                kind = "nested" if "/" in name else kind_of(name)
                if stat.size > _LARGEST:
                    self._skip_file(one, shown(name), "delivery-file-too-large", f"> {_LARGEST >> 20:,} MiB")
                    continue
                try:
                    self._add_file(one, shown(name), kind, self._read_file(folder, name, stat, known))
                except ChangingError:
                    self._skip_file(one, shown(name), "delivery-file-changing")
                except UnreadableError as error:
                    self._skip_file(one, shown(name), "delivery-file-unreadable", str(error))
            self._dump_database(one, before.get(one.place, {}))
            deliveries.append(one)
        return deliveries

    def wait_until_settled(self, settle: float) -> None:
        """Wait if a new file is so recent that its sender may still be writing to it."""
        youngest = max((stat.changed[0] for folder in self.found.folders for stat in folder.files.values()), default=0)
        if any(one.temporary is not None for one in self.staged.values()) and youngest > (self.started - _FRESH) * 1e9:
            time.sleep(max(0.0, self._begun + settle - time.monotonic()))  # not wall-clock time, which may be set back

    def check_unchanged(self, one: StagedDelivery) -> None:
        """Check the files of a delivery again and skip those that changed."""
        for name, stat in one.folder.files.items():
            if shown(name) in one.files and not self._is_unchanged(one.folder, name, stat):
                self._skip_file(one, shown(name), "delivery-file-changing")
        pointer = find_pointer(one.folder.institution, one.skipped)
        if pointer is not None:  # the dump is skipped with its pointer
            one.files.pop(dump_name(pointer), None)
            one.skipped.add(dump_name(pointer))

    def commit(self, staged: list[StagedDelivery]) -> dict[str, int]:
        """Commit the files of the deliveries to the store; return their sizes by hash."""
        wanted = {file.sha256 for one in staged for file in one.files.values()} & self.staged.keys()
        self.store.commit([self.staged[sha256] for sha256 in sorted(wanted)])
        return {sha256: self.staged[sha256].size for sha256 in wanted}

    def note_replaced(self, staged: list[StagedDelivery], required: Collection[str]) -> None:
        """Report bytes that the store should have had (`required`) but had lost or damaged, and that were received again."""
        for one in staged:
            for name, file in one.files.items():
                bytes_ = self.staged.get(file.sha256)  # None for a dump landed before
                if file.sha256 in required and bytes_ is not None and bytes_.temporary is not None:
                    self.found.note("landing-bytes-replaced", None, None, f"{one.place[0]}/{one.place[1]}/{name}")
                    self.replaced.append(f"{one.place[0]} {one.place[1]}: {file.sha256}")

    def _read_file(self, folder: DeliveryFolder, name: str, stat: FileStat, known: Collection[str]) -> StagedBytes:
        """Stage a file. Raises an error if the file changed while it was read."""
        *parts, base = name.split("/")
        try:
            with open_folder(self.inbox, folder.institution, str(folder.name), *parts) as place:
                file = os.open(base, _FILE, dir_fd=place)
        except FileNotFoundError:
            raise ChangingError from None
        except OSError as error:
            raise UnreadableError(error.strerror or type(error).__name__) from None
        try:
            if FileStat.of(os.fstat(file)) != stat:
                raise ChangingError
            staged = self.store.stage(file, known)
            if FileStat.of(os.fstat(file)) != stat:
                raise ChangingError
            return staged
        finally:
            os.close(file)

    def _is_unchanged(self, folder: DeliveryFolder, name: str, stat: FileStat) -> bool:
        """Return whether a file still has the attributes that the walk found."""
        *parts, base = name.split("/")
        try:
            with open_folder(self.inbox, folder.institution, str(folder.name), *parts) as place:
                return FileStat.of(os.stat(base, dir_fd=place, follow_symlinks=False)) == stat
        except OSError:
            return False

    def _add_file(self, one: StagedDelivery, name: str, kind: str, staged: StagedBytes) -> None:
        one.files[name] = StoredFile(staged.sha256, kind)
        if staged.temporary is not None or staged.sha256 not in self.staged:
            self.staged[staged.sha256] = staged  # duplicates: either copy will do, the other is cleaned up

    def _skip_file(self, one: StagedDelivery, name: str, rule: str, detail: str = "") -> None:
        one.files.pop(name, None)
        one.skipped.add(name)
        self.found.note(rule, *one.place, name, detail)

    def _dump_database(self, one: StagedDelivery, before: Mapping[str, StoredFile]) -> None:
        """Dump the database that a delivery points to, unless its dump was landed with the same pointer."""
        pointer = find_pointer(one.folder.institution, set(one.files) | one.skipped)
        if pointer is None:
            return
        name = dump_name(pointer)
        if pointer in one.skipped:
            one.skipped.add(name)
        elif name in before and before.get(pointer) == one.files[pointer]:
            one.files[name] = before[name]
        else:
            try:
                self._add_file(
                    one, name, "dump", self.store.stage_bytes(self._dump_or_report(self._stored_content(one.files[pointer].sha256)))
                )
            except UnreachableError as error:
                self.found.note("delivery-database-unreachable", *one.place, pointer, str(error))
                one.skipped.add(name)
                if name in before:  # pointer and dump belong together: keep both earlier versions
                    one.skipped.add(pointer)
                    del one.files[pointer]

    def _dump_or_report(self, pointer: bytes) -> bytes:
        if pointer in self._unreachable:
            raise self._unreachable[pointer]
        try:
            return dump_database(pointer)
        except UnreachableError as error:
            self._unreachable[pointer] = error
            raise

    def _stored_content(self, sha256: str) -> bytes:
        staged = self.staged[sha256]
        with storage(self.store.folder), (staged.temporary or self.store.path(sha256)).open("rb") as file:
            return file.read(_LONGEST_POINTER)
