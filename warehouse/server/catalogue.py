"""What a server's catalogue holds, as facts: what the schemas of Harmonia are made of, and what stands beside them in the database.

Belongs here: questions to the catalogue. Does not belong here: what should be there (`warehouse/server/declared`), grants on it
(`warehouse/access/grants`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import psycopg

_SQL = files("warehouse.access").joinpath("sql")
Facts = dict[tuple[str, str], list[str]]
"""What and which (view, warehouse.flow_cases) -> what is so about it, sorted."""


def structure(cursor: psycopg.Cursor, schemas: Sequence[str]) -> Facts:
    """What the schemas are made of: owners, columns, definitions, triggers, rules, policies, functions, whatever stands in them."""
    out: Facts = {}
    for what, name, fact in cursor.execute(_SQL.joinpath("structure.sql").read_bytes(), {"schemas": list(schemas)}).fetchall():
        out.setdefault((what, name), []).append(fact)
    return {key: sorted(facts) for key, facts in out.items()}


def beside(
    cursor: psycopg.Cursor, schemas: Sequence[str], roles: Sequence[str], administrators: Sequence[str], keys: Sequence[str]
) -> list[str]:
    """What the database and the server have beside the schemas that no setup asks for, a line each.

    administrators: logins that may have powers. keys: schema.table.column of which no statistics may be kept.
    """
    asked = {"schemas": list(schemas), "roles": list(roles), "administrators": list(administrators), "keys": list(keys)}
    return sorted(line for (line,) in cursor.execute(_SQL.joinpath("beside.sql").read_bytes(), asked).fetchall())
