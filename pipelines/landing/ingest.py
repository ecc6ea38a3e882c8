"""Landing: from an inbox to bytes in the store and receipts in the registry.

Belongs here: what is taken, what is left alone, what a delivery holds now. Does not belong here: reading what was taken.

Everything is put aside first, then the inbox is looked at once more; what changed meanwhile is left alone. Only then are the bytes
moved to their place and the receipts entered, in one transaction: a run that is stopped anywhere leaves nothing half.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import HarmoniaError, storage
from pipelines.home import Home
from pipelines.landing.database import UnreachableError, dump, dump_name, pointer_of
from pipelines.landing.names import kind_of, shown
from pipelines.landing.receipts import CurrentFiles, LandedDelivery, StagedDelivery, StoredFile, current_files, enter, landed
from pipelines.landing.store import ChangingError, Staged, Store, UnreadableError
from pipelines.landing.walk import FileStat, Finding, Folder, Walk, opened, walk
from pipelines.lock import landing_lock
from pipelines.points import Point, reached
from pipelines.registry import Registry
from pipelines.registry.ledger import erased_unread, kept, now, removed, unknown
from pipelines.registry.tables import Audit
from pipelines.user import this_user

_FRESH = 2.0  # seconds: a file written to so lately may still be written to
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
REPLACED = "replaced landed bytes that were altered or missing"
_LARGEST = 1 << 30  # bytes of a file: four times what is read of one
_LONGEST_POINTER = 4096  # bytes of a .url file that are looked at


@dataclass(frozen=True)
class LandingReport:
    """What landing did: deliveries whose content is new, findings for `schemas.findings.frame`, counts."""

    new: list[LandedDelivery]
    findings: list[Finding]
    deliveries: int  # that stand landed, over all runs
    files: int  # in them
    new_files: int  # stored by this run
    new_bytes: int
    left_alone: int  # files that changed while they were read, or could not be opened


def land(inbox: Path, home: Home, registry: Registry, *, settle: float = 0.3) -> LandingReport:
    """Land what is new in `inbox`: bytes into the store of `home`, receipts into `registry`. Twice changes nothing.

    Where new files were written to within the last two seconds, they are watched for `settle` seconds: what is being copied shows.
    Raises `HarmoniaError` where the inbox is not there, the disk is full, or another process lands for longer than a minute;
    nothing is recorded then. Whatever is wrong inside the inbox is a finding.
    """
    home.create()
    if home.root.resolve().is_relative_to(inbox.resolve()):
        raise HarmoniaError(f"home {home.root} lies in the inbox {inbox}: name another folder with --home (or HARMONIA_HOME)")
    moment = now()
    with landing_lock(home):
        work = _Landing(inbox, Store(home.landing))
        work.store.clean()
        try:
            with registry.read() as session:
                before, gone = current_files(session), removed(session)
                work.store.let_go(erased_unread(session) | unknown(session, work.store.unentered()))
            work.store.entered()
            taken = work.take(before, gone)
            work.watch(settle)
            for one in taken:
                work.confirm(one)
            sizes = work.keep(taken)
            with registry.read() as session:
                work.tell_replaced(taken, kept(session))
        finally:
            work.store.clean()
        with registry.write() as session:
            entered = enter(session, work.found, taken, sizes, moment)
            session.add_all(Audit(at=moment, who=this_user(), action=REPLACED, subject=said) for said in work.replaced)
            reached(Point.RECEIPTS_ENTERED)
        reached(Point.RECEIPTS_KEPT)
        work.store.entered()
    every = landed(registry, home)
    return LandingReport(
        new=[one for one in every if (one.institution, str(one.name)) in entered.new],
        findings=entered.findings,
        deliveries=len(every),
        files=sum(len(one.files) for one in every),
        new_files=entered.new_files,
        new_bytes=entered.new_bytes,
        left_alone=sum(len(one.left) for one in taken),
    )


class _Landing:
    """One pass over an inbox: what was found, what was put aside."""

    def __init__(self, inbox: Path, store: Store) -> None:
        self.inbox, self.store = inbox, store
        self.started, self._begun = time.time(), time.monotonic()
        self.found: Walk = walk(inbox)
        self.staged: dict[str, Staged] = {}
        self.replaced: list[str] = []  # bytes that were landed before, are no longer as received, and came again
        self._away: dict[bytes, UnreachableError] = {}  # pointers whose database did not answer: asked once a run

    def take(self, before: CurrentFiles, gone: Collection[str] = ()) -> list[StagedDelivery]:
        """Put the files of all deliveries aside; not again what an erasure removed (`gone`) and still lies in the inbox as it was."""
        taken = []
        for folder in self.found.folders:
            one = StagedDelivery(folder, {}, set())
            known = {file.sha256 for file in before.get(one.place, {}).values()}.intersection(gone)
            for name, still in folder.files.items():
                kind = "nested" if "/" in name else kind_of(name)
                if still.size > _LARGEST:
                    self._leave(one, shown(name), "delivery-file-too-large", f"> {_LARGEST >> 20:,} MiB")
                    continue
                try:
                    self._add(one, shown(name), kind, self._read(folder, name, still, known))
                except ChangingError:
                    self._leave(one, shown(name), "delivery-file-changing")
                except UnreadableError as error:
                    self._leave(one, shown(name), "delivery-file-unreadable", str(error))
            self._ask_database(one, before.get(one.place, {}))
            taken.append(one)
        return taken

    def watch(self, settle: float) -> None:
        """Let time pass where something new is so young that it may still be written to."""
        youngest = max((still.changed[0] for folder in self.found.folders for still in folder.files.values()), default=0)
        if any(one.temporary is not None for one in self.staged.values()) and youngest > (self.started - _FRESH) * 1e9:
            time.sleep(max(0.0, self._begun + settle - time.monotonic()))  # a clock set back would let it wait for ever

    def confirm(self, one: StagedDelivery) -> None:
        """Look at the files of a delivery once more, and leave alone those that are not as they were."""
        for name, still in one.folder.files.items():
            if shown(name) in one.files and not self._is_still(one.folder, name, still):
                self._leave(one, shown(name), "delivery-file-changing")
        pointer = pointer_of(one.folder.institution, one.left)
        if pointer is not None:  # the dump goes with its pointer
            one.files.pop(dump_name(pointer), None)
            one.left.add(dump_name(pointer))

    def keep(self, taken: list[StagedDelivery]) -> dict[str, int]:
        """Move what the deliveries hold to its place in the store; gives the sizes of all of it by hash."""
        wanted = {file.sha256 for one in taken for file in one.files.values()} & self.staged.keys()
        self.store.keep([self.staged[sha256] for sha256 in sorted(wanted)])
        return {sha256: self.staged[sha256].size for sha256 in wanted}

    def tell_replaced(self, taken: list[StagedDelivery], kept: Collection[str]) -> None:
        """Say which bytes the store held no longer, or no longer whole, although it must (`kept`), and took once more."""
        for one in taken:
            for name, file in one.files.items():
                staged = self.staged.get(file.sha256)  # none for a dump that was landed before
                if file.sha256 in kept and staged is not None and staged.temporary is not None:
                    self.found.note("landing-bytes-replaced", None, None, f"{one.place[0]}/{one.place[1]}/{name}")
                    self.replaced.append(f"{one.place[0]} {one.place[1]}: {file.sha256}")

    def _read(self, folder: Folder, name: str, still: FileStat, known: Collection[str]) -> Staged:
        *parts, base = name.split("/")
        try:
            with opened(self.inbox, folder.institution, str(folder.name), *parts) as place:
                file = os.open(base, _FILE, dir_fd=place)
        except FileNotFoundError:
            raise ChangingError from None
        except OSError as error:
            raise UnreadableError(error.strerror or type(error).__name__) from None
        try:
            if FileStat.of(os.fstat(file)) != still:
                raise ChangingError
            staged = self.store.stage(file, known)
            if FileStat.of(os.fstat(file)) != still:
                raise ChangingError
            return staged
        finally:
            os.close(file)

    def _is_still(self, folder: Folder, name: str, still: FileStat) -> bool:
        *parts, base = name.split("/")
        try:
            with opened(self.inbox, folder.institution, str(folder.name), *parts) as place:
                return FileStat.of(os.stat(base, dir_fd=place, follow_symlinks=False)) == still
        except OSError:
            return False

    def _add(self, one: StagedDelivery, name: str, kind: str, staged: Staged) -> None:
        one.files[name] = StoredFile(staged.sha256, kind)
        if staged.temporary is not None or staged.sha256 not in self.staged:
            self.staged[staged.sha256] = staged  # the same bytes once more: either copy will do, the other is cleaned up

    def _leave(self, one: StagedDelivery, name: str, rule: str, detail: str = "") -> None:
        one.files.pop(name, None)
        one.left.add(name)
        self.found.note(rule, *one.place, name, detail)

    def _ask_database(self, one: StagedDelivery, before: Mapping[str, StoredFile]) -> None:
        """Dump the database that a delivery leads to, unless its dump was landed for the very same pointer."""
        pointer = pointer_of(one.folder.institution, set(one.files) | one.left)
        if pointer is None:
            return
        name = dump_name(pointer)
        if pointer in one.left:
            one.left.add(name)
        elif name in before and before.get(pointer) == one.files[pointer]:
            one.files[name] = before[name]
        else:
            try:
                self._add(one, name, "dump", self.store.stage_bytes(self._dump(self._content(one.files[pointer].sha256))))
            except UnreachableError as error:
                self.found.note("delivery-database-unreachable", *one.place, pointer, str(error))
                one.left.add(name)
                if name in before:  # pointer and dump go together: both stay as they were
                    one.left.add(pointer)
                    del one.files[pointer]

    def _dump(self, pointer: bytes) -> bytes:
        if pointer in self._away:
            raise self._away[pointer]
        try:
            return dump(pointer)
        except UnreachableError as error:
            self._away[pointer] = error
            raise

    def _content(self, sha256: str) -> bytes:
        staged = self.staged[sha256]
        with storage(self.store.folder), (staged.temporary or self.store.path(sha256)).open("rb") as file:
            return file.read(_LONGEST_POINTER)
