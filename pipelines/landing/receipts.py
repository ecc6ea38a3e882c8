"""Receipts: the files of each delivery, now and before, and findings from this history.

Belongs here: registry entries of landing, the list of landed deliveries. Does not belong here: copying bytes. Deliveries are ordered by
quarter, then version, never by arrival (docs/reference/counting-rules.md, "Record status").
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
from harmonia.registry.ledger import deliveries, received, record_problems, redactions
from harmonia.registry.tables import Delivery, DeliveryFile, File, Receipt
from pipelines.landing.names import READ, kind_of
from pipelines.landing.store import LandingStore
from pipelines.landing.walk import DeliveryFolder, Finding, InboxWalk
from sources.contract import DeliveryName
from sources.periods import last_day
from sources.readers.result import SourceFile

_CONTENT = ("file", "dump")  # kinds that are the content of a delivery


@dataclass(frozen=True)
class StoredFile:
    """A file of a delivery in the landing store."""

    sha256: str
    kind: str


@dataclass
class StagedDelivery:
    """The files of one delivery folder that a run staged, by shown name, and the names of skipped files."""

    folder: DeliveryFolder
    files: dict[str, StoredFile]
    skipped: set[str]

    @property
    def place(self) -> tuple[str, str]:
        """The institution and the name of the delivery."""
        return self.folder.institution, str(self.folder.name)


@dataclass(frozen=True)
class LandedDelivery:
    """A landed delivery. `receipt` changes only with its content, so that it is a cache key.

    `reading`: the redacted reading that replaces `files` if a person in them was erased (`harmonia.operations.erasure.reading`).
    """

    institution: str
    name: DeliveryName
    files: list[SourceFile]
    receipt: str
    incomplete: bool  # a file was skipped: records missing from the delivery are not withdrawn
    reading: Path | None = None


@dataclass(frozen=True)
class RecordedLanding:
    """The result of `record_landing`: deliveries (institution, name) with new content, all findings, number of new files and bytes."""

    new: set[tuple[str, str]]
    findings: list[Finding]
    new_files: int
    new_bytes: int


CurrentFiles = dict[tuple[str, str], dict[str, StoredFile]]


def current_files(session: Session) -> CurrentFiles:
    """Return the files of each delivery by its newest receipt: (institution, delivery) -> shown file name -> file."""
    return {(d.institution, d.name): _receipt_files(d.receipts[-1]) for d in received(session)}


def landed(registry: Registry, home: Home) -> list[LandedDelivery]:
    """Return all landed deliveries by institution, period and version, with the paths of their bytes, including those without readable
    files.

    Raises `HarmoniaError` if bytes are missing from the landing store or truncated.
    """
    store = LandingStore(home.landing)
    with registry.read() as session:
        found = deliveries(session)
        sizes = dict(session.execute(select(File.sha256, File.size)).all())
        readings = redactions(session)
    out = []
    for delivery in found:
        read = sorted((file for file in delivery.receipts[-1].files if file.kind in READ), key=lambda file: file.name)
        reading = readings.get(delivery.receipts[-1].id)
        for name, sha256 in [("redacted reading", reading)] if reading else [(file.name, file.sha256) for file in read]:
            store.existing_path(sha256, sizes[sha256], f"{delivery.institution} {delivery.name} {name}")
        if any(file.kind != "system" for file in delivery.receipts[-1].files):
            files = [SourceFile(file.name, store.path(file.sha256), sizes[file.sha256]) for file in read]
            out.append(_landed_delivery(delivery, files, read, store.path(reading) if reading else None))
    return out


def record_landing(
    session: Session, found: InboxWalk, staged: list[StagedDelivery], sizes: Mapping[str, int], moment: datetime
) -> RecordedLanding:
    """Record the files (`sizes` by hash), receipts and problems of a run. The findings include those from the history of deliveries."""
    known = {(d.institution, d.name): d for d in received(session)}
    new_files = sorted(sizes.keys() - set(session.scalars(select(File.sha256))))
    session.add_all(File(sha256=sha256, size=sizes[sha256], first_seen=moment) for sha256 in new_files)
    session.flush()
    new = set()
    for one in staged:
        delivery = known.get(one.place)
        before = delivery.receipts[-1] if delivery else None
        files = _merge_files(found, one, _receipt_files(before) if before else {})
        if files:
            delivery = delivery or _find_or_add_delivery(session, one, moment)
            absent = [name for name in one.skipped if name not in files and "/" not in name and kind_of(name) == "file"]
            if _add_receipt(delivery, before, files, bool(absent), moment):
                new.add(one.place)
    _record_presence(found, known, moment)
    session.flush()
    findings = _sort_findings([*found.findings, *_history_findings(deliveries(session)), *pulls.open_pull_problems(session)])
    record_problems(session, findings, moment)
    return RecordedLanding(new, findings, len(new_files), sum(sizes[sha256] for sha256 in new_files))


def _find_or_add_delivery(session: Session, one: StagedDelivery, moment: datetime) -> Delivery:
    (institution, name), parsed = one.place, one.folder.name
    delivery = Delivery(institution=institution, name=name, period=parsed.period, version=parsed.version, first_seen=moment, receipts=[])
    session.add(delivery)
    return delivery


def _merge_files(found: InboxWalk, one: StagedDelivery, before: Mapping[str, StoredFile]) -> dict[str, StoredFile]:
    """Return the current files of a delivery: the staged files, and the earlier version of skipped files.

    If files disappeared and none were added, the earlier files are kept: clearing a folder loses nothing.
    """
    files = dict(one.files)
    files.update({name: before[name] for name in one.skipped if name in before})
    gone = [name for name, file in before.items() if file.kind in _CONTENT and name not in one.files and name not in one.skipped]
    added = [name for name, file in one.files.items() if file.kind in _CONTENT and name not in before]
    if gone and not added:
        files.update({name: before[name] for name in gone})
        for name in gone:
            if before[name].kind == "file" and not one.folder.closed:
                found.note("delivery-file-gone", one.place[0], one.place[1], name)
    return files


def _add_receipt(delivery: Delivery, before: Receipt | None, files: Mapping[str, StoredFile], incomplete: bool, moment: datetime) -> bool:
    """Add a receipt if the delivery changed; return whether its content is new."""
    hash_, content = hash_of_files(files), hash_of_files({name: file for name, file in files.items() if file.kind in _CONTENT})
    if before is not None and before.hash == hash_:
        if before.incomplete != incomplete:
            before.incomplete = incomplete
        return False
    delivery.receipts.append(
        Receipt(
            sequence=before.sequence + 1 if before else 1,
            hash=hash_,
            content=content,
            first_seen=moment,
            incomplete=incomplete,
            files=[DeliveryFile(name=name, sha256=file.sha256, kind=file.kind) for name, file in sorted(files.items())],
        )
    )
    new = before is None or before.content != content
    if new:
        delivery.state = None  # until it is read
    return new


def _record_presence(found: InboxWalk, known: Mapping[tuple[str, str], Delivery], moment: datetime) -> None:
    """Record which deliveries disappeared from the inbox, and which returned."""
    here = {(folder.institution, str(folder.name)) for folder in found.folders}
    for place, delivery in known.items():
        gone = place not in here
        if gone == (delivery.gone_since is None) and not (gone and delivery.institution in found.closed):
            delivery.gone_since = moment if gone else None


def _history_findings(every: Iterable[Delivery]) -> list[Finding]:
    """Return findings from the ledger. Only the finding on a delivery that was changed in place depends on the order of arrival."""
    findings = InboxWalk()
    versions: dict[tuple[str, str], set[int]] = {}
    contents: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in every:
        place = (delivery.institution, delivery.name)
        if delivery.gone_since is not None:
            findings.note("delivery-gone", *place)
        changes = [_describe_changes(a, b) for a, b in pairwise(delivery.receipts) if a.content != b.content and not a.incomplete]
        if changes:
            findings.note("delivery-changed-in-place", *place, detail=changes[-1])
        if delivery.receipts[-1].first_seen.date() <= last_day(delivery.period):
            findings.note("delivery-before-quarter-end", *place)
        known = versions.setdefault((delivery.institution, delivery.period), set())
        absent = [str(DeliveryName(delivery.period, v)) for v in range(max(known, default=0) + 1, delivery.version)]
        if absent:
            findings.note("delivery-version-gap", *place, detail=", ".join(absent[:5]))
        known.add(delivery.version)
        contents.setdefault((delivery.institution, delivery.receipts[-1].content), []).append(delivery)
    for same in contents.values():
        for delivery in same[1:]:
            rule = "delivery-repeats-quarter" if delivery.period != same[0].period else "delivery-same-bytes"
            if any(file.kind in _CONTENT for file in delivery.receipts[-1].files):
                findings.note(rule, delivery.institution, delivery.name, detail=same[0].name)
    return findings.findings


def _describe_changes(before: Receipt, after: Receipt) -> str:
    """Describe which files were changed, added or removed between two receipts."""
    old, new = _receipt_files(before), _receipt_files(after)
    parts = (
        ("changed", sorted(name for name in old.keys() & new.keys() if old[name].sha256 != new[name].sha256)),
        ("added", sorted(new.keys() - old.keys())),
        ("removed", sorted(old.keys() - new.keys())),
    )
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)


def _landed_delivery(delivery: Delivery, files: list[SourceFile], read: list[DeliveryFile], reading: Path | None) -> LandedDelivery:
    content = reading.name if reading else hash_of_files({file.name: StoredFile(file.sha256, file.kind) for file in read})
    key = hashlib.sha256(json.dumps([delivery.institution, delivery.name, content]).encode()).hexdigest()
    name = DeliveryName(delivery.period, delivery.version)
    return LandedDelivery(delivery.institution, name, files, key, delivery.receipts[-1].incomplete, reading)


def _receipt_files(receipt: Receipt) -> dict[str, StoredFile]:
    return {file.name: StoredFile(file.sha256, file.kind) for file in receipt.files}


def hash_of_files(files: Mapping[str, StoredFile]) -> str:
    """Hash the names, hashes and kinds of the files of a receipt."""
    listed = sorted((name, file.sha256, file.kind) for name, file in files.items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _sort_findings(findings: list[Finding]) -> list[Finding]:
    order = ("institution", "delivery", "file", "rule", "detail")
    return sorted(findings, key=lambda finding: tuple(finding[part] or "" for part in order))
