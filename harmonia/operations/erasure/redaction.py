"""Redaction of a home: replaces deliveries by redacted readings, removes the original bytes, and records both in the ledger.

Does not belong here: whether an order may be executed (`execute`), previewing it (`dry_run`).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from harmonia.errors import convert_storage_errors
from harmonia.home import Home
from harmonia.lock import lock_landing_store
from harmonia.operations.erasure import reading, search
from harmonia.operations.erasure.person import PersonToErase
from harmonia.operations.erasure.rows import redact_delivery
from harmonia.registry import Registry
from harmonia.registry.ledger import now, read_deliveries, read_redactions
from harmonia.registry.tables import Audit, Delivery, Erasure, File, Judgement, Receipt, Redaction, RemovedFile
from harmonia.review.judgements import convert_frame_to_rows
from pipelines.landing.file_names import READ_KINDS
from pipelines.landing.store import LandingStore
from sources.contract import DeliveryName
from sources.readers.result import ReadResult, SourceFile
from sources.reading import read_delivery

_PAGE_FOLDERS = (
    *("feedback", "logs", "explain", "review", "reports", "exports"),
    *("portal/findings", "portal/uploads", "portal/received"),
)
"""Folders of the home with pages. A page that names the person is deleted. If runs write it, the next run writes it again."""
_JUDGEMENT_COLUMNS = {"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"}


@dataclass(frozen=True)
class RedactedReceipt:
    """A receipt whose files are to be replaced.

    reading: the content of the redacted reading that replaces its files. removed: the hashes of the files to remove. rows: number of
    redacted rows.
    """

    institution: str
    delivery: str
    receipt: int
    reading: bytes
    removed: frozenset[str]
    rows: int


def find_receipts(registry: Registry, home: Home, person: PersonToErase) -> Iterator[RedactedReceipt]:
    """Yield all receipts, including superseded ones, whose files name the person."""
    store = LandingStore(home.landing)
    with registry.read() as session:
        all_deliveries, readings = read_deliveries(session), read_redactions(session)
        for delivery in all_deliveries:
            if person.find_record_keys(delivery.institution):
                for receipt in delivery.receipts:
                    redacted_receipt = _redact_receipt(store, delivery, receipt, readings.get(receipt.id), person)
                    if redacted_receipt is not None:
                        yield redacted_receipt


def _redact_receipt(
    store: LandingStore, delivery: Delivery, receipt: Receipt, earlier_reading: str | None, person: PersonToErase
) -> RedactedReceipt | None:
    """Redact what was read of a receipt; None if its files do not name the person. earlier_reading: hash of its redacted reading."""
    files = {file.name: file for file in receipt.files if store.get_path(file.sha256).exists()}
    result = (
        reading.load_redacted_reading(store.get_path(earlier_reading))
        if earlier_reading
        else _read_files_of_receipt(store, delivery.institution, receipt)
    )
    redacted, names = redact_delivery(delivery.institution, DeliveryName(delivery.period, delivery.version), result, person) or (
        None,
        set[str](),
    )
    names |= {
        name for name, file in files.items() if name not in names and search.file_contains_person(store.get_path(file.sha256), person)
    }
    if redacted is None and not names:
        return None
    content = reading.pack_redacted_reading(redacted or result)
    removed = {files[name].sha256 for name in names if name in files} | ({earlier_reading} if earlier_reading else set())
    removed.discard(hashlib.sha256(content).hexdigest())  # an unchanged reading
    rows = 0 if redacted is None else redacted.blanked["_row"].nunique() - result.blanked["_row"].nunique()
    return RedactedReceipt(delivery.institution, delivery.name, receipt.id, content, frozenset(removed), rows)


def _read_files_of_receipt(store: LandingStore, institution: str, receipt: Receipt) -> ReadResult:
    files = sorted((file for file in receipt.files if file.kind in READ_KINDS), key=lambda file: file.name)
    return read_delivery(institution, [SourceFile(file.name, store.get_path(file.sha256)) for file in files])


def record_redactions(
    registry: Registry, home: Home, order: int, executor: str, receipts: tuple[RedactedReceipt, ...], constraints: pd.DataFrame
) -> int:
    """Store the redacted readings, record them in the ledger, and remove the original bytes.

    The readings, the hashes of removed files and the link constraints are recorded in one transaction. Returns the number of the erasure.
    If the process is killed before the transaction, nothing has changed. If it is killed later, the next landing removes the bytes.
    """
    store = LandingStore(home.landing)
    with lock_landing_store(home):
        staged = [store.stage_bytes(redacted_receipt.reading) for redacted_receipt in receipts]
        store.commit_bytes(staged)
        with registry.write() as session:
            erasure = Erasure(at=now(), order_id=order, carried_out_by=executor)
            session.add(erasure)
            session.flush()
            known_hashes = set(session.scalars(select(File.sha256)))
            new_files = {file.sha256: file.size for file in staged if file.sha256 not in known_hashes}
            session.add_all(File(sha256=sha256, size=size, first_seen=erasure.at) for sha256, size in new_files.items())
            session.flush()
            readings_by_receipt = zip(receipts, staged, strict=True)
            session.add_all(
                Redaction(erasure_id=erasure.id, receipt_id=redacted_receipt.receipt, reading=staged_reading.sha256)
                for redacted_receipt, staged_reading in readings_by_receipt
            )
            removed = sorted(frozenset[str]().union(*(redacted_receipt.removed for redacted_receipt in receipts)))
            session.add_all(RemovedFile(erasure_id=erasure.id, sha256=sha256) for sha256 in removed)
            _add_link_constraints(session, constraints, erasure)
            session.add(Audit(at=erasure.at, who=executor, action="erase", subject=f"order {order}: {len(removed)} files"))
            number = erasure.id
        store.forget_unrecorded_hashes()
        store.remove_bytes(removed)
    return number


def _add_link_constraints(session: Session, link_constraints: pd.DataFrame, erasure: Erasure) -> None:
    """Add link constraints as judgements in the name of the erasure."""
    if len(link_constraints):
        rows = link_constraints.rename(columns=_JUDGEMENT_COLUMNS).assign(
            steward=f"erasure {erasure.id}", why="preserves the link as it was before names were erased", decided_at=erasure.at, blind=False
        )
        session.execute(insert(Judgement), convert_frame_to_rows(rows))


def delete_copies(home: Home, person: PersonToErase) -> list[str]:
    """Remove the lake, which the next run rebuilds, and the pages that name the person. Returns the deleted pages.

    This is called before `record_redactions`, so that no copy remains if the process is killed.
    """
    with convert_storage_errors(home.root):
        shutil.rmtree(home.lake, ignore_errors=True)
        home.create()
        pages = [path for folder in _PAGE_FOLDERS for path in sorted((home.root / folder).rglob("*")) if path.is_file()]
        pages_naming_person = [path for path in pages if search.file_contains_person(path, person)]
        for path in pages_naming_person:
            path.unlink()
    return [str(path.relative_to(home.root)) for path in pages_naming_person]
