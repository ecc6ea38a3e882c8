"""Orders to erase a person: one user orders, another executes.

Belongs here: adding and listing orders, who may execute one. Does not belong here: execution (`execute`).
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

COLUMNS = ["order", "person", "ordered by", "at", "ground", "executed", "last by"]


def order(registry: Registry, person_id: str, by: str, ground: str) -> int:
    """Add an order; return its number. Raises `HarmoniaError` if the person does not exist, or name or ground is missing."""
    by, ground = cleaned("steward", by), cleaned("why", ground)
    current_id = str(resolve(registry, pd.Series([person_id])).iloc[0])
    with registry.write() as session:
        entity = session.get(Entity, current_id)
        if entity is None or entity.kind != "person":
            raise HarmoniaError(f"person {person_id} does not exist: take the id from `harmonia explain` or the identity store")
        added = ErasureOrder(at=now(), person_id=current_id, ordered_by=by, ground=ground)
        session.add(added)
        session.flush()
        return added.id


def get_order(registry: Registry, number: int) -> ErasureOrder:
    """An order by its number. Raises `HarmoniaError` if it does not exist."""
    with registry.read() as session:
        found = session.get(ErasureOrder, number)
    if found is None:
        raise HarmoniaError(f"order {number} does not exist: `harmonia erase list` lists orders, `harmonia erase order` adds one")
    return found


def check_executor(order: ErasureOrder, by: str) -> str:
    """The name of the user who executes an order. Raises `HarmoniaError` if the same user placed it."""
    who = cleaned("steward", by)
    if who.casefold() == order.ordered_by.casefold():
        raise HarmoniaError(f"order {order.id} was placed by {order.ordered_by}: a different user must execute it (--by)")
    return who


def list_orders(registry: Registry) -> pd.DataFrame:
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
