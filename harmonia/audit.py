"""The audit log: accesses to names and numbers, exact figures sent. It unites entries of the registry and of the PostgreSQL warehouse.

Belongs here: writing an entry to the registry, reading both. Does not belong here: output, the server's request log
(`warehouse/access/identity`).
"""

from __future__ import annotations

from datetime import date

import pandas as pd
from sqlalchemy import select

from harmonia.registry.connection import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Audit
from harmonia.user import this_user

COLUMNS = ["at", "where", "who", "what", "subject", "reason"]


def note(registry: Registry, action: str, subject: str) -> str:
    """Record that the user of this process did `action` with the data of `subject` (an id, a pair of keys, a figure, an export).

    Returns the user. Raises `HarmoniaError` if the registry cannot be written: then nothing may be shown or sent.
    """
    who = this_user()
    line(registry, who, action, subject)
    return who


def line(registry: Registry, who: str, action: str, subject: str, reason: str | None = None) -> None:
    """Record that `who`, an account of the portal or a user of the system, did `action`, and the reason that was given.

    `subject` and `reason` name pairs, ids or a file, never a person.
    """
    with registry.write() as session:
        session.add(Audit(at=now(), who=who, action=action, subject=subject, reason=reason))


SAW = "saw the log of requests"


def head_seen(registry: Registry) -> tuple[int, str] | None:
    """Number and hash of the newest request in the server's log when it was last checked; None if it never was."""
    with registry.read() as session:
        stored = session.scalar(select(Audit.subject).where(Audit.action == SAW).order_by(Audit.id.desc()).limit(1))
    if stored is None:
        return None
    number, chain = stored.split()
    return int(number), chain


def note_head(registry: Registry, head: tuple[int, str] | None) -> None:
    """Store the head of the server's log if it changed since it was last seen."""
    if head is not None and head != head_seen(registry):
        note(registry, SAW, f"{head[0]} {head[1]}")


def entries(registry: Registry | None, requests: pd.DataFrame | None, since: date | None = None, who: str | None = None) -> pd.DataFrame:
    """`COLUMNS`, oldest first, times in UTC.

    requests  of `warehouse.server.access.logged_requests`; None without a server; since: first day; who: only this user or login
    """
    parts = []
    if registry is not None:
        with registry.read() as session:
            lines = [(one.at, "registry", one.who, one.action, one.subject, one.reason or "") for one in session.scalars(select(Audit))]
        parts.append(pd.DataFrame(lines, columns=COLUMNS))
    if requests is not None:
        asked = requests.rename(columns={"login": "who", "kind": "what"}).assign(where="postgresql")
        parts.append(asked[COLUMNS])
    out = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)
    out["at"] = pd.to_datetime(out["at"], utc=True)
    if since is not None:
        out = out[out["at"] >= pd.Timestamp(since, tz="UTC")]
    if who is not None:
        out = out[out["who"] == who]
    return out.sort_values("at", kind="stable").reset_index(drop=True)
