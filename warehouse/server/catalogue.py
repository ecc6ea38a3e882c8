"""Query the system catalogue of a PostgreSQL server for the structure of Harmonia's schemas, and for other objects of the database.

Does not belong here: the declared structure (`warehouse/server/declared`), grants
(`warehouse/access/grants`).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import psycopg

_SQL = files("warehouse.access").joinpath("sql")
Properties = dict[tuple[str, str], list[str]]
"""The sorted properties of each database object, by its kind and name, such as `view` and `warehouse.flow_cases`."""


def read_structure_of_schemas(cursor: psycopg.Cursor, schemas: Sequence[str]) -> Properties:
    """Read the structure of the schemas: owners, columns, definitions, triggers, rules, policies, functions, and all other objects in
    them."""
    properties: Properties = {}
    for kind, name, property_text in cursor.execute(_SQL.joinpath("structure.sql").read_bytes(), {"schemas": list(schemas)}).fetchall():
        properties.setdefault((kind, name), []).append(property_text)
    return {key: sorted(texts) for key, texts in properties.items()}


def find_unexpected_database_objects(
    cursor: psycopg.Cursor, schemas: Sequence[str], roles: Sequence[str], administrators: Sequence[str], keys: Sequence[str]
) -> list[str]:
    """Find objects of the database and the server that are outside the schemas and that no installation needs, one line each.

    administrators: logins that may administer the server. keys: columns, as schema.table.column, on which PostgreSQL must keep no
    statistics.
    """
    parameters = {"schemas": list(schemas), "roles": list(roles), "administrators": list(administrators), "keys": list(keys)}
    return sorted(line for (line,) in cursor.execute(_SQL.joinpath("unexpected_objects.sql").read_bytes(), parameters).fetchall())
