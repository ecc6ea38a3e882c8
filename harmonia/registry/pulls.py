"""The ledger of pulls: what was last seen on the institutions' servers, and which problems stop the pull of a delivery.

Belongs here: queries and additions to the table `pull`. Does not belong here: connecting to servers (`pipelines.pull`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harmonia.registry.connection import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Pull

PullSubject = tuple[str, str | None]
"""What a row of the table `pull` is about: an institution, and the name of a delivery on its server, or None for the server as a whole."""


def read_latest_pulls(session: Session) -> dict[PullSubject, Pull]:
    """Read the newest row of the table `pull` about each delivery of each institution, and about each server as a whole."""
    newest = select(func.max(Pull.id)).group_by(Pull.institution, Pull.delivery)
    return {(row.institution, row.delivery): row for row in session.scalars(select(Pull).where(Pull.id.in_(newest)).order_by(Pull.id))}


def record_pull(
    registry: Registry, subject: PullSubject, newest_pull: Pull | None, *, rule: str | None = None, detail: str = "", **seen: str | None
) -> None:
    """Record the result of a pull.

    `seen` is what the pull saw: the columns `state`, `content` and `inbox_name` of `Pull`. `rule` is the rule of the problem that stopped
    the pull, or None. `newest_pull` is the newest row about the same subject. If there is a problem, the new row keeps the earlier
    content but not the earlier state, so that the delivery is fetched again. No row is added if the problem is the same as before.
    """
    if rule is not None and newest_pull is not None and (newest_pull.rule, newest_pull.detail) == (rule, detail or None):
        return
    if rule is not None and newest_pull is not None:
        seen = {"content": newest_pull.content, "inbox_name": newest_pull.inbox_name}
    with registry.write() as session:
        session.add(
            Pull(at=now(), institution=subject[0], delivery=subject[1], rule=rule, detail=detail or None, **_select_pull_columns(seen))
        )


def read_open_pull_problems(session: Session) -> list[dict[str, Any]]:
    """Return the problems that stop pulls now, as findings on the institution. Delivery and file of these findings are null."""
    return [
        {
            "institution": row.institution,
            "delivery": None,  # it may never come
            "file": None,
            "rule": row.rule,
            "detail": ": ".join(filter(None, (row.delivery, row.detail))) or None,
        }
        for row in read_latest_pulls(session).values()
        if row.rule is not None
    ]


def _select_pull_columns(seen: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: seen.get(name) for name in ("state", "content", "inbox_name")}
