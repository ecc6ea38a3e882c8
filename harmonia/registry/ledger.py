"""The ledger: the part of the registry about received deliveries, with their files and states, about runs, and about inbox problems.

Belongs here: queries and updates of these tables. Does not belong here: reading or storing files (`pipelines.landing`).
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
"""The name, used like that of an institution, under which inbox and ledger keep yardsticks. `read_deliveries` leaves them out."""
STATES = ("complete", "partial", "unreadable")
COUNTS = ("read", "accepted", "superseded", "withdrawn", "quarantined", "structural")
_PROBLEM = ("institution", "delivery", "file", "rule", "detail")


@dataclass(frozen=True)
class DeliveryState:
    """The state of a delivery after a run, and its numbers of rows.

    `state` is one of `STATES`. `counts` maps names in `COUNTS` (all rows that were read, or a record status) to numbers of rows.
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

    The caller holds the lock that allows one run at a time. So an earlier run without an end must have been killed, and its outcome is
    recorded as `killed`.
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

    The ledger begins with this run, so it does not show when deliveries were received before.
    """
    with registry.read() as session:
        return session.scalar(select(Run.started).order_by(Run.id).limit(1))


def read_deliveries(session: Session) -> list[Delivery]:
    """Read all deliveries that institutions ever sent, with receipts and files, sorted by institution, period and version."""
    return [delivery for delivery in read_everything_received(session) if delivery.institution != YARDSTICKS]


def read_everything_received(session: Session) -> list[Delivery]:
    """Read everything that was ever received, i.e. deliveries of institutions and yardsticks, in the order of `read_deliveries`."""
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
    """Read the problems of the inbox that were found when the inbox was last read, and are thus not resolved."""
    return list(session.scalars(select(Problem).where(Problem.resolved.is_(None)).order_by(Problem.id)))


def record_problems(session: Session, findings: Iterable[Mapping[str, Any]], moment: datetime) -> None:
    """Record the problems of the inbox that were found now.

    `findings` has all of them. A problem that is not yet in the registry is added. An open problem that was not found again is marked as
    resolved at `moment`. An open problem that was found again stays unchanged.
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
    """Return those of `hashes` that no file in the ledger has."""
    return set(hashes).difference(session.scalars(select(File.sha256))) if hashes else set()


def read_hashes_of_erased_files(session: Session) -> set[str]:
    """Return the hashes of files that an erasure was to remove from the landing store, and that no receipt needs.

    Such files are still in the landing store if the process was killed during the erasure. A file that was delivered again after the
    erasure is needed, so its hash is left out.
    """
    read = set(read_redactions(session).values())
    unread = select(Redaction.receipt_id)
    read |= set(session.scalars(select(DeliveryFile.sha256).where(DeliveryFile.receipt_id.not_in(unread))))
    return read_removed_hashes(session) - read


def read_redactions(session: Session) -> dict[int, str]:
    """Return which receipts are no longer read from their files, because a person's data was erased.

    The result maps the id of each such receipt to the hash of the redacted content that is read instead.
    """
    rows = session.execute(select(Redaction.receipt_id, Redaction.reading).order_by(Redaction.id))
    return {row.receipt_id: row.reading for row in rows}
