"""Place erasure orders again that a restored home lacks. They are read from a backup that was made after these erasures.

Belongs here: finding these orders, and finding the person in this home. Does not belong here: execution (`execute`), restoring
(`harmonia.operations.backup`).

If a restored backup is older than an erasure, the person is in the home again, and the order is not. Ids of the two registries may
differ, so a person is identified by the records at the time of the erasure.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.operations.backup.manifest import REGISTRY, Manifest, digest_file
from harmonia.operations.erasure.orders import place_order
from harmonia.registry import Registry, open_registry
from harmonia.registry.tables import Erasure, ErasureOrder, Membership

Records = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class RepeatedOrder:
    """An erasure order in a backup. It erased `records` records, and `known_records` of them are in this home.

    `new_orders` maps the number of each order that was placed here to its person. It is empty if this home has the order already, or has
    none of its records.
    """

    number: int
    records: int
    known_records: int
    new_orders: dict[int, str]


@dataclass(frozen=True)
class _ExecutedOrder:
    number: int
    at: datetime
    by: str
    ground: str
    records: Records


def repeat_erasure_orders(registry: Registry, backup: Path) -> list[RepeatedOrder]:
    """Place every erasure order again that `backup` lists as executed. If it is called a second time, it places no further orders.

    The new order names the user who placed the original order. Raises `HarmoniaError` if `backup` is not a backup or is damaged.
    """
    out = []
    for order in _read_executed_orders(backup):
        with registry.read() as session:
            existing = list(session.scalars(select(ErasureOrder)))
            persons_by_record = _find_current_persons(session, order.records)
        ground = f"{order.ground} (order {order.number} of a later backup)"
        # this registry may be an older copy of that one
        already_ordered = any((known.id, known.at) == (order.number, order.at) for known in existing)
        ordered_before = {known.person_id for known in existing if known.ground == ground}
        persons = set() if already_ordered else set(persons_by_record.values()) - ordered_before
        new_orders = {place_order(registry, person, order.by, ground): person for person in sorted(persons)}
        out.append(RepeatedOrder(order.number, len(order.records), len(persons_by_record), new_orders))
    return out


def _read_executed_orders(backup: Path) -> list[_ExecutedOrder]:
    """Read the executed orders of a backup. They are read from a copy of its registry, since opening a registry may change its tables."""
    expected = Manifest.read(backup).files.get(REGISTRY)
    with convert_storage_errors(backup), tempfile.TemporaryDirectory() as folder:
        if expected is None or digest_file(backup / REGISTRY) != expected:
            raise HarmoniaError(f"{backup}: its {REGISTRY} was changed: name another backup")
        copy = Path(shutil.copyfile(backup / REGISTRY, Path(folder) / REGISTRY))
        registry = open_registry(f"sqlite:///{copy}")
        try:
            with registry.read() as session:
                last_execution = select(Erasure.order_id, func.max(Erasure.at).label("at")).group_by(Erasure.order_id).subquery()
                rows = session.execute(
                    select(ErasureOrder, last_execution.c.at)
                    .join(last_execution, last_execution.c.order_id == ErasureOrder.id)
                    .order_by(ErasureOrder.id)
                )
                return [
                    _ExecutedOrder(
                        order_row.id,
                        order_row.at,
                        order_row.ordered_by,
                        order_row.ground,
                        _find_records_of_person(session, order_row.person_id, at),
                    )
                    for order_row, at in rows.all()
                ]
        finally:
            registry.close()


def _find_records_of_person(session: Session, person: str, moment: datetime) -> Records:
    """Return the records that a person had at that moment."""
    current = or_(Membership.until.is_(None), Membership.until > moment)
    query = select(Membership.institution, Membership.record_key).where(Membership.entity_id == person, Membership.since <= moment, current)
    return frozenset((name, key) for name, key in session.execute(query))


def _find_current_persons(session: Session, records: Records) -> dict[tuple[str, str], str]:
    """Return the person to which each record belongs now. Unknown records are left out."""
    query = select(Membership.institution, Membership.record_key, Membership.entity_id).where(
        Membership.kind == "person", Membership.until.is_(None), Membership.record_key.in_({key for _, key in records})
    )
    return {(name, key): person for name, key, person in session.execute(query) if (name, key) in records}
