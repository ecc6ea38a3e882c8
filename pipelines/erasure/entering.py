"""What an erasure changes in a home: readings in place of receipts, bytes that go, a line for each in the ledger.

Belongs here: making and entering that. Does not belong here: whether it may be done (`carry`), what it would do (`trial`).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pipelines.erasure import reading, search
from pipelines.erasure.person import Person
from pipelines.erasure.rows import emptied
from pipelines.errors import storage
from pipelines.home import Home
from pipelines.landing.names import READ
from pipelines.landing.store import Store
from pipelines.lock import landing_lock
from pipelines.points import Point, reached
from pipelines.registry import Registry
from pipelines.registry.ledger import deliveries, now, redactions
from pipelines.registry.tables import Audit, Delivery, Erasure, File, Judgement, Receipt, Redaction, RemovedFile
from pipelines.review.judgements import records
from sources.contract import DeliveryName
from sources.readers.result import ReadResult, SourceFile
from sources.reading import read_delivery
from warehouse.publish import FOLDER, numbers

_PAGES = ("feedback", "logs", "explain", "review", "reports", "exports")
"""Folders of the home with pages for people: one that names the person goes, and is written anew where a run writes it."""
_STORED = {"entity": "kind", "key_a": "record_key_a", "key_b": "record_key_b"}


@dataclass(frozen=True)
class Emptied:
    """A receipt: what is to be read in place of its files, the hashes of bytes that go, rows that were emptied."""

    institution: str
    delivery: str
    receipt: int
    reading: bytes
    gone: frozenset[str]
    rows: int


def found(registry: Registry, home: Home, person: Person) -> Iterator[Emptied]:
    """Every receipt, also an older one of its delivery, whose files name the person."""
    store = Store(home.landing)
    with registry.read() as session:
        every, instead = deliveries(session), redactions(session)
        for delivery in every:
            if person.keys(delivery.institution):
                for receipt in delivery.receipts:
                    one = _of_receipt(store, delivery, receipt, instead.get(receipt.id), person)
                    if one is not None:
                        yield one


def _of_receipt(store: Store, delivery: Delivery, receipt: Receipt, instead: str | None, person: Person) -> Emptied | None:
    files = {file.name: file for file in receipt.files if store.path(file.sha256).exists()}
    result = reading.load(store.path(instead)) if instead else _read(store, delivery.institution, receipt)
    made, names = emptied(delivery.institution, DeliveryName(delivery.period, delivery.version), result, person) or (None, set[str]())
    names |= {name for name, file in files.items() if name not in names and search.holds(store.path(file.sha256), person)}
    if made is None and not names:
        return None
    kept = reading.dump(made or result)
    gone = {files[name].sha256 for name in names if name in files} | ({instead} if instead else set())
    gone.discard(hashlib.sha256(kept).hexdigest())  # a reading that stays as it is
    rows = 0 if made is None else made.blanked["_row"].nunique() - result.blanked["_row"].nunique()
    return Emptied(delivery.institution, delivery.name, receipt.id, kept, frozenset(gone), rows)


def _read(store: Store, institution: str, receipt: Receipt) -> ReadResult:
    files = sorted((file for file in receipt.files if file.kind in READ), key=lambda file: file.name)
    return read_delivery(institution, [SourceFile(file.name, store.path(file.sha256)) for file in files])


def enter(registry: Registry, home: Home, order: int, by: str, done: tuple[Emptied, ...], held: pd.DataFrame) -> int:
    """Keep the readings, then enter them, the hashes that go and the ties (`ties.COLUMNS`), all in one transaction; then the bytes go.

    Returns the number of the erasure. Killed before the transaction, nothing was done; after it, the next landing lets the bytes go.
    """
    store = Store(home.landing)
    with landing_lock(home):
        staged = [store.stage_bytes(one.reading) for one in done]
        store.keep(staged)
        with registry.write() as session:
            erasure = Erasure(at=now(), order_id=order, carried_out_by=by)
            session.add(erasure)
            session.flush()
            known = set(session.scalars(select(File.sha256)))
            fresh = {one.sha256: one.size for one in staged if one.sha256 not in known}
            session.add_all(File(sha256=sha256, size=size, first_seen=erasure.at) for sha256, size in fresh.items())
            session.flush()
            pairs = zip(done, staged, strict=True)
            session.add_all(Redaction(erasure_id=erasure.id, receipt_id=one.receipt, reading=kept.sha256) for one, kept in pairs)
            gone = sorted(frozenset[str]().union(*(one.gone for one in done)))
            session.add_all(RemovedFile(erasure_id=erasure.id, sha256=sha256) for sha256 in gone)
            _hold(session, held, erasure)
            session.add(Audit(at=erasure.at, who=by, action="erase", subject=f"order {order}: {len(gone)} files"))
            number = erasure.id
        reached(Point.ERASURE_ENTERED)
        store.entered()
        store.let_go(gone)
    return number


def _hold(session: Session, held: pd.DataFrame, erasure: Erasure) -> None:
    """Enter ties as judgements in the name of the erasure."""
    if len(held):
        rows = held.rename(columns=_STORED).assign(
            steward=f"erasure {erasure.id}", why="together, or apart, as before names were erased", decided_at=erasure.at, blind=False
        )
        session.execute(insert(Judgement), records(rows))


def clean(home: Home, person: Person) -> list[str]:
    """Remove what the next run writes anew, and pages that name the person; before anything is entered, so that a kill leaves no copy.

    Returns those pages.
    """
    with storage(home.root):
        shutil.rmtree(home.lake, ignore_errors=True)
        home.create()
        pages = [path for folder in _PAGES for path in sorted((home.root / folder).rglob("*")) if path.is_file()]
        named = [path for path in pages if search.holds(path, person)]
        for path in named:
            path.unlink()
    return [str(path.relative_to(home.root)) for path in named]


def let_go(home: Home) -> None:
    """Remove every publishing but the one that stands: readers were given time until now."""
    with storage(home.root / FOLDER):
        for number in numbers(home.root / FOLDER)[:-1]:
            shutil.rmtree(home.root / FOLDER / str(number))
