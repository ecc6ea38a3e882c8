"""The ledger of pulls: the watermark of each institution and delivery, and what stops a pull.

Belongs here: queries and additions. Does not belong here: sources (`pipelines.pull`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harmonia.registry.connection import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Pull

Place = tuple[str, str | None]
"""Institution, and delivery as the source names it; None for the source itself."""


def current(session: Session) -> dict[Place, Pull]:
    """Read the newest row of the table `pull` for each institution and delivery."""
    newest = select(func.max(Pull.id)).group_by(Pull.institution, Pull.delivery)
    return {(row.institution, row.delivery): row for row in session.scalars(select(Pull).where(Pull.id.in_(newest)).order_by(Pull.id))}


def add(registry: Registry, place: Place, before: Pull | None, *, rule: str | None = None, detail: str = "", **seen: str | None) -> None:
    """Record what became of a place: `state`, `content` and `inbox_name`, or the `rule` that stopped it.

    A problem keeps the content that was fetched before, and loses the state, so that the delivery is fetched again. The same problem again
    is no new row.
    """
    if rule is not None and before is not None and (before.rule, before.detail) == (rule, detail or None):
        return
    if rule is not None and before is not None:
        seen = {"content": before.content, "inbox_name": before.inbox_name}
    with registry.write() as session:
        session.add(Pull(at=now(), institution=place[0], delivery=place[1], rule=rule, detail=detail or None, **_pull_columns(seen)))


def open_pull_problems(session: Session) -> list[dict[str, Any]]:
    """Open problems of sources, as findings on the institution."""
    return [
        {
            "institution": row.institution,
            "delivery": None,  # it may never come
            "file": None,
            "rule": row.rule,
            "detail": ": ".join(filter(None, (row.delivery, row.detail))) or None,
        }
        for row in current(session).values()
        if row.rule is not None
    ]


def _pull_columns(seen: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: seen.get(name) for name in ("state", "content", "inbox_name")}
