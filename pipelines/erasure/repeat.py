"""Orders that a restored home does not know, entered again from a later backup.

Belongs here: which orders those are, and who the person is here. Does not belong here: carrying them out (`carry`), restoring
(`pipelines.backup`).

A restore of a backup that is older than an erasure brings the person back and forgets the order. Ids of the two registries need not agree:
a person is known by the records that were the person's when the order was carried out.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from pipelines.backup.manifest import REGISTRY, Manifest, digest
from pipelines.erasure.orders import give
from pipelines.errors import HarmoniaError, storage
from pipelines.registry import Registry, open_registry
from pipelines.registry.tables import Erasure, ErasureOrder, Membership

Records = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Repeated:
    """An order of a backup, by its number there: how many records it was carried out on, and how many of them are known here.

    given: new orders by number -> person here; none where the order is known here already, or none of its records is.
    """

    number: int
    records: int
    known: int
    given: dict[int, str]


@dataclass(frozen=True)
class _Order:
    number: int
    at: datetime
    by: str
    ground: str
    records: Records


def repeat(registry: Registry, backup: Path) -> list[Repeated]:
    """Enter again every order that `backup` knows as carried out; once more changes nothing.

    They stay the orders of who gave them: somebody else carries them out. Raises `HarmoniaError` where `backup` is none or is damaged.
    """
    out = []
    for order in _carried_out(backup):
        with registry.read() as session:
            there = list(session.scalars(select(ErasureOrder)))
            found = _holders(session, order.records)
        ground = f"{order.ground} (order {order.number} of a later backup)"
        known = any((o.id, o.at) == (order.number, order.at) for o in there)  # this registry is an older copy of that one
        entered = {o.person_id for o in there if o.ground == ground}
        persons = set() if known else set(found.values()) - entered
        given = {give(registry, person, order.by, ground): person for person in sorted(persons)}
        out.append(Repeated(order.number, len(order.records), len(found), given))
    return out


def _carried_out(backup: Path) -> list[_Order]:
    """The orders of a backup that were carried out. Its registry is read in a copy: opening one brings it to this version."""
    told = Manifest.read(backup).files.get(REGISTRY)
    with storage(backup), tempfile.TemporaryDirectory() as folder:
        if told is None or digest(backup / REGISTRY) != told:
            raise HarmoniaError(f"{backup}: its {REGISTRY} holds other bytes than were kept: name another backup")
        copy = Path(shutil.copyfile(backup / REGISTRY, Path(folder) / REGISTRY))
        registry = open_registry(f"sqlite:///{copy}")
        try:
            with registry.read() as session:
                last = select(Erasure.order_id, func.max(Erasure.at).label("at")).group_by(Erasure.order_id).subquery()
                rows = session.execute(
                    select(ErasureOrder, last.c.at).join(last, last.c.order_id == ErasureOrder.id).order_by(ErasureOrder.id)
                )
                return [_Order(o.id, o.at, o.ordered_by, o.ground, _of(session, o.person_id, at)) for o, at in rows.all()]
        finally:
            registry.close()


def _of(session: Session, person: str, at: datetime) -> Records:
    """The records of a person as they were at a moment."""
    stood = or_(Membership.until.is_(None), Membership.until > at)
    query = select(Membership.institution, Membership.record_key).where(Membership.entity_id == person, Membership.since <= at, stood)
    return frozenset((name, key) for name, key in session.execute(query))


def _holders(session: Session, records: Records) -> dict[tuple[str, str], str]:
    """Which person holds each of the records now; records that are not known are left out."""
    query = select(Membership.institution, Membership.record_key, Membership.entity_id).where(
        Membership.kind == "person", Membership.until.is_(None), Membership.record_key.in_({key for _, key in records})
    )
    return {(name, key): person for name, key, person in session.execute(query) if (name, key) in records}
