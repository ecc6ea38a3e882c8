"""The audit log: who accessed names and personal numbers, or sent exact figures.

Belongs here: writing an entry to the registry; listing the entries of the registry together with the requests that the PostgreSQL
warehouse logged. Does not belong here: printing the list; the server's own log of requests (`warehouse/access/identity`).
"""

from __future__ import annotations

from datetime import date

import pandas as pd
from sqlalchemy import select

from harmonia.registry.connection import Registry
from harmonia.registry.ledger import now
from harmonia.registry.tables import Audit
from harmonia.user import find_current_user

AUDIT_COLUMNS = ["at", "where", "who", "what", "subject", "reason"]


def record_own_access(registry: Registry, action: str, subject: str) -> str:
    """Record that the user of this process did `action` with the data of `subject` (an id, a pair of keys, a figure, an export).

    Returns the name of the user. Raises `HarmoniaError` if the registry cannot be written; the caller must then show or send nothing.
    """
    who = find_current_user()
    record_access(registry, who, action, subject)
    return who


def record_access(registry: Registry, who: str, action: str, subject: str, reason: str | None = None) -> None:
    """Record that `who`, an account of the portal or a user of the operating system, did `action` for the given reason.

    Neither subject nor reason may name a person: they name pairs of records, ids or a file.
    """
    with registry.write() as session:
        session.add(Audit(at=now(), who=who, action=action, subject=subject, reason=reason))


LOG_CHECKED = "saw the log of requests"
"""The action of those audit entries that store which request was the newest when the server's request log was last checked."""


def read_newest_checked_log_request(registry: Registry) -> tuple[int, str] | None:
    """Return number and hash of the newest request that the server's request log contained when it was last checked.

    Returns None if it was never checked.
    """
    with registry.read() as session:
        stored = session.scalar(select(Audit.subject).where(Audit.action == LOG_CHECKED).order_by(Audit.id.desc()).limit(1))
    if stored is None:
        return None
    number, chain = stored.split()
    return int(number), chain


def store_newest_checked_log_request(registry: Registry, newest_request: tuple[int, str] | None) -> None:
    """Store number and hash of the newest request in the server's request log, unless they are already stored or the log is empty."""
    if newest_request is not None and newest_request != read_newest_checked_log_request(registry):
        record_own_access(registry, LOG_CHECKED, f"{newest_request[0]} {newest_request[1]}")


def list_audit_entries(
    registry: Registry | None, logged_requests: pd.DataFrame | None, since: date | None = None, who: str | None = None
) -> pd.DataFrame:
    """List the entries of the audit log, oldest first, with times in UTC. Columns out: `AUDIT_COLUMNS`.

    registry: the registry whose entries are listed; None to list none of them. logged_requests: the server's request log, from
    `warehouse.server.access.read_request_log`; None if there is no server. since: the first day to list. who: the user or login whose
    entries are listed; None for all.
    """
    parts = []
    if registry is not None:
        with registry.read() as session:
            lines = [(one.at, "registry", one.who, one.action, one.subject, one.reason or "") for one in session.scalars(select(Audit))]
        parts.append(pd.DataFrame(lines, columns=AUDIT_COLUMNS))
    if logged_requests is not None:
        request_rows = logged_requests.rename(columns={"login": "who", "kind": "what"}).assign(where="postgresql")
        parts.append(request_rows[AUDIT_COLUMNS])
    out = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=AUDIT_COLUMNS)], ignore_index=True)
    out["at"] = pd.to_datetime(out["at"], utc=True)
    if since is not None:
        out = out[out["at"] >= pd.Timestamp(since, tz="UTC")]
    if who is not None:
        out = out[out["who"] == who]
    return out.sort_values("at", kind="stable").reset_index(drop=True)
