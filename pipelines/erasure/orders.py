"""Orders to erase a person: one gives it, another carries it out.

Belongs here: entering and listing orders, who may carry one out. Does not belong here: what carrying out does (`carry`).
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import func, select

from pipelines.errors import HarmoniaError
from pipelines.registry import Registry
from pipelines.registry.identity import resolve
from pipelines.registry.ledger import now
from pipelines.registry.tables import Entity, Erasure, ErasureOrder
from pipelines.review.judgements import cleaned

COLUMNS = ["order", "person", "ordered by", "at", "ground", "carried out", "last by"]


def give(registry: Registry, person_id: str, by: str, ground: str) -> int:
    """Enter an order; returns its number. Raises `HarmoniaError` where there is no such person, or a name or ground is missing."""
    by, ground = cleaned("steward", by), cleaned("why", ground)
    standing = str(resolve(registry, pd.Series([person_id])).iloc[0])
    with registry.write() as session:
        entity = session.get(Entity, standing)
        if entity is None or entity.kind != "person":
            raise HarmoniaError(f"there is no person {person_id}: take the id from `harmonia explain` or the identity store")
        order = ErasureOrder(at=now(), person_id=standing, ordered_by=by, ground=ground)
        session.add(order)
        session.flush()
        return order.id


def given(registry: Registry, number: int) -> ErasureOrder:
    """An order by its number. Raises `HarmoniaError` where there is none."""
    with registry.read() as session:
        order = session.get(ErasureOrder, number)
    if order is None:
        raise HarmoniaError(f"there is no order {number}: `harmonia erase list` names them, `harmonia erase order` gives one")
    return order


def another(order: ErasureOrder, by: str) -> str:
    """Who carries an order out. Raises `HarmoniaError` where that is who gave it."""
    who = cleaned("steward", by)
    if who.casefold() == order.ordered_by.casefold():
        raise HarmoniaError(f"order {order.id} was given by {order.ordered_by}: somebody else must carry it out (--by)")
    return who


def listed(registry: Registry) -> pd.DataFrame:
    """All orders, `COLUMNS`: persons by id only."""
    done = select(Erasure.order_id, func.count().label("times"), func.max(Erasure.id).label("last")).group_by(Erasure.order_id).subquery()
    query = (
        select(ErasureOrder, done.c.times, Erasure.carried_out_by)
        .outerjoin(done, done.c.order_id == ErasureOrder.id)
        .outerjoin(Erasure, Erasure.id == done.c.last)
        .order_by(ErasureOrder.id)
    )
    with registry.read() as session:
        rows = [
            (o.id, o.person_id, o.ordered_by, f"{o.at:%Y-%m-%d}", o.ground, times or 0, by or "") for o, times, by in session.execute(query)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)
