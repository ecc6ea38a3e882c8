"""The ledger of the registry: which deliveries were received, with which files and states; runs; problems of the inbox.

Belongs here: queries and updates of the tables for these. Does not belong here: reading or storing files (`pipelines.landing`).
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
"""The name, in inbox and ledger, under which yardsticks (figures that institutions published) are received."""
STATES = ("complete", "partial", "unreadable")
COUNTS = ("read", "accepted", "superseded", "withdrawn", "quarantined", "structural")
_PROBLEM = ("institution", "delivery", "file", "rule", "detail")


@dataclass(frozen=True)
class DeliveryState:
    """The state of a delivery after a run.

    state: one of `STATES`. counts: the number of its rows for each record status (and the number of rows read), by the names `COUNTS`.
    """

    institution: str
    name: str
    state: str
    counts: Mapping[str, int] = field(default_factory=dict)


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def begin_run(registry: Registry) -> int:
    """Record the start of a run and return its id.

    The caller holds the run lock. So if an earlier run has no end, it must have been killed, and it is recorded as `killed`.
    """
    moment = now()
    with registry.write() as session:
        session.execute(update(Run).where(Run.finished.is_(None)).values(finished=moment, outcome="killed"))
        run = Run(started=moment)
        session.add(run)
        session.flush()
        return run.id


def end_run(registry: Registry, run: int, outcome: str) -> None:
    """Record the end of a run and its outcome, `published` or `failed`."""
    with registry.write() as session:
        session.execute(update(Run).where(Run.id == run).values(finished=now(), outcome=outcome))


def find_start_of_first_run(registry: Registry) -> datetime | None:
    """Return when the first run of this home began, or None if there was none.

    For deliveries that an institution sent before this time, the time of receipt does not show whether they were late.
    """
    with registry.read() as session:
        return session.scalar(select(Run.started).order_by(Run.id).limit(1))


def read_deliveries(session: Session) -> list[Delivery]:
    """Read all deliveries that institutions ever sent, with receipts and files, sorted by institution, period and version."""
    return [delivery for delivery in read_everything_received(session) if delivery.institution != YARDSTICKS]


def read_everything_received(session: Session) -> list[Delivery]:
    """Read everything that was ever received: deliveries of institutions, and yardsticks. It is sorted as in `read_deliveries`."""
    query = select(Delivery).options(selectinload(Delivery.receipts).selectinload(Receipt.files))
    return sorted(session.scalars(query), key=lambda delivery: (delivery.institution, delivery.period, delivery.version))


def record_states(registry: Registry, states: Sequence[DeliveryState]) -> None:
    """Record the states and row counts of several deliveries, in one transaction.

    Raises `ValueError` if a state is not in `STATES` or a count is not in `COUNTS`. Raises `KeyError` if a delivery was never landed.
    """
    for delivery_state in states:
        if delivery_state.state not in STATES or not set(delivery_state.counts) <= set(COUNTS):
            raise ValueError(
                f"{delivery_state.institution} {delivery_state.name}: state {delivery_state.state!r} with counts "
                f"{sorted(delivery_state.counts)}; known: {STATES}, {COUNTS}"
            )
    with registry.write() as session:
        by_delivery = {(d.institution, d.name): d for d in session.scalars(select(Delivery))}
        for delivery_state in states:
            if (delivery_state.institution, delivery_state.name) not in by_delivery:
                raise KeyError(f"{delivery_state.institution} {delivery_state.name}: no such delivery was landed")
            delivery = by_delivery[delivery_state.institution, delivery_state.name]
            delivery.state = delivery_state.state
            for name, count in delivery_state.counts.items():
                setattr(delivery, name, count)


def record_state(registry: Registry, institution: str, name: str, state: str, counts: Mapping[str, int] | None = None) -> None:
    """Record the state and row counts of one delivery; see `record_states`."""
    record_states(registry, [DeliveryState(institution, name, state, counts or {})])


def read_open_problems(session: Session) -> list[Problem]:
    """Read the problems of the inbox that were found when deliveries were last ingested."""
    return list(session.scalars(select(Problem).where(Problem.resolved.is_(None)).order_by(Problem.id)))


def record_problems(session: Session, findings: Iterable[Mapping[str, Any]], moment: datetime) -> None:
    """Record the problems of the inbox that were found now.

    New problems are added. Problems that were not found again are marked as resolved. Problems that are known and were found again are
    unchanged.
    """
    stored = {tuple(getattr(problem, part) for part in _PROBLEM): problem for problem in read_open_problems(session)}
    seen = dict.fromkeys(tuple(finding.get(part) for part in _PROBLEM) for finding in findings)
    for identity, problem in stored.items():
        if identity not in seen:
            problem.resolved = moment
    session.add_all(Problem(first_seen=moment, **dict(zip(_PROBLEM, identity, strict=True))) for identity in seen if identity not in stored)


def read_removed_hashes(session: Session) -> set[str]:
    """Return the hashes of the files that erasures removed from the landing store."""
    return set(session.scalars(select(RemovedFile.sha256)))


def read_required_hashes(session: Session) -> set[str]:
    """Return the hashes of all files that must be in the landing store."""
    return set(session.scalars(select(File.sha256))) - read_removed_hashes(session)


def select_unknown_hashes(session: Session, hashes: Collection[str]) -> set[str]:
    """Return those of `hashes` that are not in the ledger."""
    return set(hashes).difference(session.scalars(select(File.sha256))) if hashes else set()


def read_hashes_of_erased_files(session: Session) -> set[str]:
    """Return the hashes of files that an erasure removes, that no receipt needs, and that may still be in the landing store.

    Such files remain if the process was killed during the erasure. If a file was delivered again, a receipt needs it, and it is left out.
    """
    read = set(read_redactions(session).values())
    unread = select(Redaction.receipt_id)
    read |= set(session.scalars(select(DeliveryFile.sha256).where(DeliveryFile.receipt_id.not_in(unread))))
    return read_removed_hashes(session) - read


def read_redactions(session: Session) -> dict[int, str]:
    """Return the receipts whose files are no longer read because a person was erased.

    The result maps the id of each receipt to the hash of the redacted content that is read instead.
    """
    rows = session.execute(select(Redaction.receipt_id, Redaction.reading).order_by(Redaction.id))
    return {row.receipt_id: row.reading for row in rows}
