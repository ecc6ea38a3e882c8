"""Orders to erase a person's data. One user places an order, another executes it.

Belongs here: placing and listing orders, who may execute one. Does not belong here: executing them (`execute`).
"""

from __future__ import annotations

import pandas as pd
from sqlalchemy import func, select

from harmonia.errors import HarmoniaError
from harmonia.registry import Registry
from harmonia.registry.identity import resolve_ids
from harmonia.registry.ledger import now
from harmonia.registry.tables import Entity, Erasure, ErasureOrder
from harmonia.review.judgements import normalise_steward_or_reason

COLUMNS = ["order", "person", "ordered by", "at", "ground", "executed", "last by"]


def place_order(registry: Registry, person_id: str, ordering_user: str, ground: str) -> int:
    """Place an order and return its number. `ordering_user` is the user who orders the erasure, and `ground` is its legal basis.

    Raises `HarmoniaError` if the person does not exist, or if user or legal basis is missing.
    """
    ordering_user, ground = normalise_steward_or_reason("steward", ordering_user), normalise_steward_or_reason("why", ground)
    current_id = str(resolve_ids(registry, pd.Series([person_id])).iloc[0])
    with registry.write() as session:
        entity = session.get(Entity, current_id)
        if entity is None or entity.kind != "person":
            raise HarmoniaError(f"person {person_id} does not exist: take the id from `harmonia explain` or the identity store")
        new_order = ErasureOrder(at=now(), person_id=current_id, ordered_by=ordering_user, ground=ground)
        session.add(new_order)
        session.flush()
        return new_order.id


def get_order(registry: Registry, number: int) -> ErasureOrder:
    """Return the order with this number. Raises `HarmoniaError` if it does not exist."""
    with registry.read() as session:
        order = session.get(ErasureOrder, number)
    if order is None:
        raise HarmoniaError(f"order {number} does not exist: `harmonia erase list` lists orders, `harmonia erase order` adds one")
    return order


def check_executor(order: ErasureOrder, by: str) -> str:
    """Return the user `by` who wants to execute an order. Raises `HarmoniaError` if the same user placed it."""
    executor = normalise_steward_or_reason("steward", by)
    if executor.casefold() == order.ordered_by.casefold():
        raise HarmoniaError(f"order {order.id} was placed by {order.ordered_by}: a different user must execute it")
    return executor


def list_orders(registry: Registry) -> pd.DataFrame:
    """List all orders with the columns `COLUMNS`. Persons are given only by their ids."""
    executions = (
        select(Erasure.order_id, func.count().label("times"), func.max(Erasure.id).label("last")).group_by(Erasure.order_id).subquery()
    )
    query = (
        select(ErasureOrder, executions.c.times, Erasure.carried_out_by)
        .outerjoin(executions, executions.c.order_id == ErasureOrder.id)
        .outerjoin(Erasure, Erasure.id == executions.c.last)
        .order_by(ErasureOrder.id)
    )
    with registry.read() as session:
        rows = [
            (order.id, order.person_id, order.ordered_by, f"{order.at:%Y-%m-%d}", order.ground, times or 0, by or "")
            for order, times, by in session.execute(query)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)
