"""Receipts: which files each delivery has and had earlier, and the findings that follow from this history.

Belongs here: entering what was landed into the registry, listing the landed deliveries. Does not belong here: copying bytes. Deliveries are
ordered by quarter, then by version, never by the time of arrival (docs/reference/counting-rules.md, "Record status").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from harmonia.home import Home
from harmonia.registry import Registry, pulls
from harmonia.registry.ledger import read_deliveries, read_everything_received, read_redactions, record_problems
from harmonia.registry.tables import Delivery, DeliveryFile, File, Receipt
from pipelines.landing.file_names import READ_KINDS, classify_file_name
from pipelines.landing.store import LandingStore
from pipelines.landing.walk import DeliveryFolder, Finding, InboxWalk
from sources.contract import DeliveryName
from sources.periods import last_day
from sources.readers.result import SourceFile

_CONTENT_KINDS = ("file", "dump")  # kinds of files that make up the content of a delivery


@dataclass(frozen=True)
class StoredFile:
    """A file of a delivery in the landing store."""

    sha256: str
    kind: str


@dataclass
class StagedDelivery:
    """The staged files of one delivery folder, by printable name, and the names of its skipped files."""

    folder: DeliveryFolder
    files: dict[str, StoredFile]
    skipped: set[str]

    @property
    def key(self) -> tuple[str, str]:
        """The institution and the name of the delivery."""
        return self.folder.institution, str(self.folder.name)


@dataclass(frozen=True)
class LandedDelivery:
    """A landed delivery.

    `receipt` is a hash that changes if and only if the content changes, so that outputs can be stored under it. If a person in the delivery
    was erased, `reading` is the path of the redacted reading, which replaces `files` (`harmonia.operations.erasure.reading`).
    """

    institution: str
    name: DeliveryName
    files: list[SourceFile]
    receipt: str
    incomplete: bool  # a file was skipped, so records that the delivery lacks are not withdrawn
    reading: Path | None = None


@dataclass(frozen=True)
class RecordedLanding:
    """The result of `record_landing`.

    `new` has the deliveries (institution, name) whose content is new. `findings` has all findings. `new_files` and `new_bytes` are numbers.
    """

    new: set[tuple[str, str]]
    findings: list[Finding]
    new_files: int
    new_bytes: int


CurrentFiles = dict[tuple[str, str], dict[str, StoredFile]]


def list_current_files(session: Session) -> CurrentFiles:
    """Return the files of each delivery according to its newest receipt.

    The result maps (institution, delivery) to a dictionary, which maps printable file names to files.
    """
    return {(d.institution, d.name): _list_receipt_files(d.receipts[-1]) for d in read_everything_received(session)}


def list_landed_deliveries(registry: Registry, home: Home) -> list[LandedDelivery]:
    """Return all landed deliveries with the paths of their bytes, ordered by institution, period and version.

    A delivery without readable files is included, but not one that only has files of the operating system. Raises `HarmoniaError` if bytes
    are missing from the landing store or truncated.
    """
    store = LandingStore(home.landing)
    with registry.read() as session:
        all_deliveries = read_deliveries(session)
        sizes = dict(session.execute(select(File.sha256, File.size)).all())
        readings = read_redactions(session)
    out = []
    for delivery in all_deliveries:
        read = sorted((file for file in delivery.receipts[-1].files if file.kind in READ_KINDS), key=lambda file: file.name)
        reading = readings.get(delivery.receipts[-1].id)
        for name, sha256 in [("redacted reading", reading)] if reading else [(file.name, file.sha256) for file in read]:
            store.require_stored_path(sha256, sizes[sha256], f"{delivery.institution} {delivery.name} {name}")
        if any(file.kind != "system" for file in delivery.receipts[-1].files):
            files = [SourceFile(file.name, store.get_path(file.sha256), sizes[file.sha256]) for file in read]
            out.append(_make_landed_delivery(delivery, files, read, store.get_path(reading) if reading else None))
    return out


def record_landing(
    session: Session, inbox_walk: InboxWalk, staged_deliveries: list[StagedDelivery], sizes: Mapping[str, int], moment: datetime
) -> RecordedLanding:
    """Record the files, the receipts and the findings of a run. `sizes` has the size of each stored file, by hash.

    The findings include those that follow from the history of the deliveries.
    """
    known = {(d.institution, d.name): d for d in read_everything_received(session)}
    new_files = sorted(sizes.keys() - set(session.scalars(select(File.sha256))))
    session.add_all(File(sha256=sha256, size=sizes[sha256], first_seen=moment) for sha256 in new_files)
    session.flush()
    new = set()
    for staged_delivery in staged_deliveries:
        delivery = known.get(staged_delivery.key)
        before = delivery.receipts[-1] if delivery else None
        files = _merge_staged_with_earlier_files(inbox_walk, staged_delivery, _list_receipt_files(before) if before else {})
        if files:
            delivery = delivery or _add_delivery(session, staged_delivery, moment)
            absent = [
                name for name in staged_delivery.skipped if name not in files and "/" not in name and classify_file_name(name) == "file"
            ]
            if _add_receipt(delivery, before, files, bool(absent), moment):
                new.add(staged_delivery.key)
    _record_presence_in_inbox(inbox_walk, known, moment)
    session.flush()
    findings = _sort_findings(
        [*inbox_walk.findings, *_find_problems_in_delivery_history(read_deliveries(session)), *pulls.read_open_pull_problems(session)]
    )
    record_problems(session, findings, moment)
    return RecordedLanding(new, findings, len(new_files), sum(sizes[sha256] for sha256 in new_files))


def _add_delivery(session: Session, staged_delivery: StagedDelivery, moment: datetime) -> Delivery:
    (institution, name), parsed = staged_delivery.key, staged_delivery.folder.name
    delivery = Delivery(institution=institution, name=name, period=parsed.period, version=parsed.version, first_seen=moment, receipts=[])
    session.add(delivery)
    return delivery


def _merge_staged_with_earlier_files(
    inbox_walk: InboxWalk, staged_delivery: StagedDelivery, files_before: Mapping[str, StoredFile]
) -> dict[str, StoredFile]:
    """Return the current files of a delivery: the staged files, and the earlier version of each skipped file.

    If files have disappeared and none were added, the earlier files are kept, so that nothing is lost if somebody empties the folder.
    """
    files = dict(staged_delivery.files)
    files.update({name: files_before[name] for name in staged_delivery.skipped if name in files_before})
    gone = [
        name
        for name, file in files_before.items()
        if file.kind in _CONTENT_KINDS and name not in staged_delivery.files and name not in staged_delivery.skipped
    ]
    added = [name for name, file in staged_delivery.files.items() if file.kind in _CONTENT_KINDS and name not in files_before]
    if gone and not added:
        files.update({name: files_before[name] for name in gone})
        for name in gone:
            if files_before[name].kind == "file" and not staged_delivery.folder.closed:
                inbox_walk.add_file_finding("delivery-file-gone", staged_delivery.key[0], staged_delivery.key[1], name)
    return files


def _add_receipt(
    delivery: Delivery, previous_receipt: Receipt | None, files: Mapping[str, StoredFile], incomplete: bool, moment: datetime
) -> bool:
    """Add a receipt if the files of the delivery have changed. Return whether the content of the delivery is new."""
    hash_, content = (
        hash_receipt_files(files),
        hash_receipt_files({name: file for name, file in files.items() if file.kind in _CONTENT_KINDS}),
    )
    if previous_receipt is not None and previous_receipt.hash == hash_:
        if previous_receipt.incomplete != incomplete:
            previous_receipt.incomplete = incomplete
        return False
    delivery.receipts.append(
        Receipt(
            sequence=previous_receipt.sequence + 1 if previous_receipt else 1,
            hash=hash_,
            content=content,
            first_seen=moment,
            incomplete=incomplete,
            files=[DeliveryFile(name=name, sha256=file.sha256, kind=file.kind) for name, file in sorted(files.items())],
        )
    )
    new = previous_receipt is None or previous_receipt.content != content
    if new:
        delivery.state = None  # not known until the delivery is read
    return new


def _record_presence_in_inbox(inbox_walk: InboxWalk, known_deliveries: Mapping[tuple[str, str], Delivery], moment: datetime) -> None:
    """Record which deliveries have disappeared from the inbox, and which have returned."""
    in_inbox = {(folder.institution, str(folder.name)) for folder in inbox_walk.folders}
    for key, delivery in known_deliveries.items():
        gone = key not in in_inbox
        if gone == (delivery.gone_since is None) and not (gone and delivery.institution in inbox_walk.closed):
            delivery.gone_since = moment if gone else None


def _find_problems_in_delivery_history(all_deliveries: Iterable[Delivery]) -> list[Finding]:
    """Return findings on deliveries in the ledger: that one disappeared, was changed or came early, or that a version is missing or
    repeated.

    Only the finding that a delivery was changed in place depends on the order of arrival.
    """
    findings = InboxWalk()
    versions: dict[tuple[str, str], set[int]] = {}
    contents: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in all_deliveries:
        key = (delivery.institution, delivery.name)
        if delivery.gone_since is not None:
            findings.add_file_finding("delivery-gone", *key)
        changes = [_describe_file_changes(a, b) for a, b in pairwise(delivery.receipts) if a.content != b.content and not a.incomplete]
        if changes:
            findings.add_file_finding("delivery-changed-in-place", *key, detail=changes[-1])
        if delivery.receipts[-1].first_seen.date() <= last_day(delivery.period):
            findings.add_file_finding("delivery-before-quarter-end", *key)
        versions_of_period = versions.setdefault((delivery.institution, delivery.period), set())
        absent = [str(DeliveryName(delivery.period, v)) for v in range(max(versions_of_period, default=0) + 1, delivery.version)]
        if absent:
            findings.add_file_finding("delivery-version-gap", *key, detail=", ".join(absent[:5]))
        versions_of_period.add(delivery.version)
        contents.setdefault((delivery.institution, delivery.receipts[-1].content), []).append(delivery)
    for equal in contents.values():
        for delivery in equal[1:]:
            rule = "delivery-repeats-quarter" if delivery.period != equal[0].period else "delivery-same-bytes"
            if any(file.kind in _CONTENT_KINDS for file in delivery.receipts[-1].files):
                findings.add_file_finding(rule, delivery.institution, delivery.name, detail=equal[0].name)
    return findings.findings


def _describe_file_changes(before: Receipt, after: Receipt) -> str:
    """Describe in words which files were changed, added or removed between two receipts."""
    old, new = _list_receipt_files(before), _list_receipt_files(after)
    parts = (
        ("changed", sorted(name for name in old.keys() & new.keys() if old[name].sha256 != new[name].sha256)),
        ("added", sorted(new.keys() - old.keys())),
        ("removed", sorted(old.keys() - new.keys())),
    )
    return "; ".join(f"{change}: {', '.join(names)}" for change, names in parts if names)


def _make_landed_delivery(
    delivery: Delivery, files: list[SourceFile], read_files: list[DeliveryFile], reading: Path | None
) -> LandedDelivery:
    """Make a `LandedDelivery` from an entry of the registry and its files."""
    content = reading.name if reading else hash_receipt_files({file.name: StoredFile(file.sha256, file.kind) for file in read_files})
    key = hashlib.sha256(json.dumps([delivery.institution, delivery.name, content]).encode()).hexdigest()
    name = DeliveryName(delivery.period, delivery.version)
    return LandedDelivery(delivery.institution, name, files, key, delivery.receipts[-1].incomplete, reading)


def _list_receipt_files(receipt: Receipt) -> dict[str, StoredFile]:
    """Return the files of a receipt, by name."""
    return {file.name: StoredFile(file.sha256, file.kind) for file in receipt.files}


def hash_receipt_files(files: Mapping[str, StoredFile]) -> str:
    """Return a hash of the names, the content hashes and the kinds of the files of a receipt."""
    entries = sorted((name, file.sha256, file.kind) for name, file in files.items())
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _sort_findings(findings: list[Finding]) -> list[Finding]:
    order = ("institution", "delivery", "file", "rule", "detail")
    return sorted(findings, key=lambda finding: tuple(finding[part] or "" for part in order))
