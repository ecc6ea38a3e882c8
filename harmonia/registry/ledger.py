"""The ledger of deliveries and runs: receipts, states, problems of the inbox.

Belongs here: queries and updates of landing, status and the run. Does not belong here: files (`pipelines.landing`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from harmonia.registry.connection import Registry
from harmonia.registry.tables import Delivery, DeliveryFile, File, Problem, Receipt, Redaction, RemovedFile, Run

YARDSTICKS = "yardsticks"
"""Folder of the inbox, and in the ledger, of figures that institutions published: received like deliveries, and never counted."""
STATES = ("complete", "partial", "unreadable")
COUNTS = ("read", "accepted", "superseded", "withdrawn", "quarantined", "structural")
_PROBLEM = ("institution", "delivery", "file", "rule", "detail")


@dataclass(frozen=True)
class DeliveryState:
    """State of a delivery after a run, and its physical rows by record status (`COUNTS`)."""

    institution: str
    name: str
    state: str
    counts: Mapping[str, int] = field(default_factory=dict)


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def begin_run(registry: Registry) -> int:
    """Record a run and return its id. Call it under the run lock: a run that is still open was killed, and is closed as such."""
    moment = now()
    with registry.write() as session:
        session.execute(update(Run).where(Run.finished.is_(None)).values(finished=moment, outcome="killed"))
        run = Run(started=moment)
        session.add(run)
        session.flush()
        return run.id


def end_run(registry: Registry, run: int, outcome: str) -> None:
    """Close a run with its outcome: `published` or `failed`."""
    with registry.write() as session:
        session.execute(update(Run).where(Run.id == run).values(finished=now(), outcome=outcome))


def first_run(registry: Registry) -> datetime | None:
    """Start of the first run of this home; deliveries received before have no meaningful arrival time."""
    with registry.read() as session:
        return session.scalar(select(Run.started).order_by(Run.id).limit(1))


def deliveries(session: Session) -> list[Delivery]:
    """All deliveries of institutions ever received, with receipts and files, by institution, period, version."""
    return [delivery for delivery in received(session) if delivery.institution != YARDSTICKS]


def received(session: Session) -> list[Delivery]:
    """All that was ever received, in the same order: the deliveries of institutions, and the yardsticks."""
    query = select(Delivery).options(selectinload(Delivery.receipts).selectinload(Receipt.files))
    return sorted(session.scalars(query), key=lambda delivery: (delivery.institution, delivery.period, delivery.version))


def record_states(registry: Registry, states: Sequence[DeliveryState]) -> None:
    """Record states and row counts of landed deliveries, in one transaction.

    Raises `ValueError` for a state or count not in `STATES`, `COUNTS`, `KeyError` for a delivery that was never landed.
    """
    for one in states:
        if one.state not in STATES or not set(one.counts) <= set(COUNTS):
            raise ValueError(
                f"{one.institution} {one.name}: state {one.state!r} with counts {sorted(one.counts)}; known: {STATES}, {COUNTS}"
            )
    with registry.write() as session:
        found = {(d.institution, d.name): d for d in session.scalars(select(Delivery))}
        for one in states:
            if (one.institution, one.name) not in found:
                raise KeyError(f"{one.institution} {one.name}: no such delivery was landed")
            delivery = found[one.institution, one.name]
            delivery.state = one.state
            for name, count in one.counts.items():
                setattr(delivery, name, count)


def record_state(registry: Registry, institution: str, name: str, state: str, counts: Mapping[str, int] | None = None) -> None:
    """Record the state and row counts of one landed delivery, as `record_states` does for several."""
    record_states(registry, [DeliveryState(institution, name, state, counts or {})])


def open_problems(session: Session) -> list[Problem]:
    """The problems of the inbox at the last landing."""
    return list(session.scalars(select(Problem).where(Problem.resolved.is_(None)).order_by(Problem.id)))


def record_problems(session: Session, found: Iterable[Mapping[str, Any]], moment: datetime) -> None:
    """Record new problems and close those no longer found; others are unchanged."""
    there = {tuple(getattr(problem, part) for part in _PROBLEM): problem for problem in open_problems(session)}
    seen = dict.fromkeys(tuple(finding.get(part) for part in _PROBLEM) for finding in found)
    for identity, problem in there.items():
        if identity not in seen:
            problem.resolved = moment
    session.add_all(Problem(first_seen=moment, **dict(zip(_PROBLEM, identity, strict=True))) for identity in seen if identity not in there)


def removed_hashes(session: Session) -> set[str]:
    """Return the hashes of the bytes that erasures removed from the landing store."""
    return set(session.scalars(select(RemovedFile.sha256)))


def required_hashes(session: Session) -> set[str]:
    """Return the hashes of all bytes that the landing store must have."""
    return set(session.scalars(select(File.sha256))) - removed_hashes(session)


def unknown_hashes(session: Session, hashes: Collection[str]) -> set[str]:
    """Return those of `hashes` that are not in the ledger."""
    return set(hashes).difference(session.scalars(select(File.sha256))) if hashes else set()


def erased_unread(session: Session) -> set[str]:
    """Hashes of removed bytes that no current receipt needs; a killed erasure may have left them. Bytes delivered again are needed."""
    read = set(redactions(session).values())
    unread = select(Redaction.receipt_id)
    read |= set(session.scalars(select(DeliveryFile.sha256).where(DeliveryFile.receipt_id.not_in(unread))))
    return removed_hashes(session) - read


def redactions(session: Session) -> dict[int, str]:
    """Receipts whose files are no longer read because a person was erased: receipt -> hash of the redacted reading."""
    rows = session.execute(select(Redaction.receipt_id, Redaction.reading).order_by(Redaction.id))
    return {row.receipt_id: row.reading for row in rows}
