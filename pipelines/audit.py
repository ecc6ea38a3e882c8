"""Who read names and numbers: the registry's lines (Harmonia's own commands) and the requests on a PostgreSQL warehouse, as one list.

Belongs here: reading them. Does not belong here: writing a line (`pipelines/explain/audit`, `warehouse/access/identity`).
"""

from __future__ import annotations

from datetime import date

import pandas as pd
from sqlalchemy import select

from pipelines.registry.connection import Registry
from pipelines.registry.tables import Audit

COLUMNS = ["at", "where", "who", "what", "subject", "reason"]


def entries(registry: Registry | None, requests: pd.DataFrame | None, since: date | None = None, who: str | None = None) -> pd.DataFrame:
    """`COLUMNS`, oldest first, times in UTC.

    requests  of `warehouse.access.server.requests`; None where there is no server; since: first day; who: this user or login alone
    """
    parts = []
    if registry is not None:
        with registry.read() as session:
            lines = [(one.at, "registry", one.who, one.action, one.subject, "") for one in session.scalars(select(Audit))]
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
