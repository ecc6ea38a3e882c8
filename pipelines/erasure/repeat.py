"""Erasure orders that a restored home lacks, ordered again from a later backup.

Belongs here: finding these orders and the person in this home. Does not belong here: execution (`execute`), restoring
(`pipelines.backup`).

Restoring a backup older than an erasure brings the person back and loses the order. Ids of the two registries may differ, so a person is
identified by the records at the time of the erasure.
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
from pipelines.erasure.orders import order as place_order
from pipelines.errors import HarmoniaError, storage
from pipelines.registry import Registry, open_registry
from pipelines.registry.tables import Erasure, ErasureOrder, Membership

Records = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Repeated:
    """An order of a backup by its number: how many records it erased, and how many of them are known here.

    ordered: new orders, number -> person; empty if the order is known here already, or none of its records is.
    """

    number: int
    records: int
    known: int
    ordered: dict[int, str]


@dataclass(frozen=True)
class _Order:
    number: int
    at: datetime
    by: str
    ground: str
    records: Records


def repeat(registry: Registry, backup: Path) -> list[Repeated]:
    """Order again every erasure that `backup` lists as executed. Idempotent.

    The original user remains the one who ordered. Raises `HarmoniaError` if `backup` is not a backup or is damaged.
    """
    out = []
    for order in _executed(backup):
        with registry.read() as session:
            there = list(session.scalars(select(ErasureOrder)))
            found = _holders(session, order.records)
        ground = f"{order.ground} (order {order.number} of a later backup)"
        known = any((o.id, o.at) == (order.number, order.at) for o in there)  # this registry is an older copy of that one
        ordered_before = {o.person_id for o in there if o.ground == ground}
        persons = set() if known else set(found.values()) - ordered_before
        ordered = {place_order(registry, person, order.by, ground): person for person in sorted(persons)}
        out.append(Repeated(order.number, len(order.records), len(found), ordered))
    return out


def _executed(backup: Path) -> list[_Order]:
    """The executed orders of a backup. Reads a copy of its registry, because opening a registry migrates it."""
    expected = Manifest.read(backup).files.get(REGISTRY)
    with storage(backup), tempfile.TemporaryDirectory() as folder:
        if expected is None or digest(backup / REGISTRY) != expected:
            raise HarmoniaError(f"{backup}: its {REGISTRY} was changed: name another backup")
        copy = Path(shutil.copyfile(backup / REGISTRY, Path(folder) / REGISTRY))
        registry = open_registry(f"sqlite:///{copy}")
        try:
            with registry.read() as session:
                last = select(Erasure.order_id, func.max(Erasure.at).label("at")).group_by(Erasure.order_id).subquery()
                rows = session.execute(
                    select(ErasureOrder, last.c.at).join(last, last.c.order_id == ErasureOrder.id).order_by(ErasureOrder.id)
                )
                return [_Order(o.id, o.at, o.ordered_by, o.ground, _records(session, o.person_id, at)) for o, at in rows.all()]
        finally:
            registry.close()


def _records(session: Session, person: str, at: datetime) -> Records:
    """The records of a person at a moment."""
    current = or_(Membership.until.is_(None), Membership.until > at)
    query = select(Membership.institution, Membership.record_key).where(Membership.entity_id == person, Membership.since <= at, current)
    return frozenset((name, key) for name, key in session.execute(query))


def _holders(session: Session, records: Records) -> dict[tuple[str, str], str]:
    """The current person of each record; unknown records are omitted."""
    query = select(Membership.institution, Membership.record_key, Membership.entity_id).where(
        Membership.kind == "person", Membership.until.is_(None), Membership.record_key.in_({key for _, key in records})
    )
    return {(name, key): person for name, key, person in session.execute(query) if (name, key) in records}
