"""Compare the structure of a server's schemas with the declared structure. To find the declared structure, the schemas are created without
rows, in a transaction that is rolled back.

Does not belong here: the statements of publishing (`warehouse/access/grants`, `warehouse/postgres`), queries of the catalogue
(`warehouse/server/catalogue`).
The existing schemas are renamed, those of this version are created under their names, the catalogue is queried, and everything is
rolled back. No other session sees this, and only names are locked. So the structure is not declared twice, and any object that these
statements do not create is reported.
"""

from __future__ import annotations

import psycopg
from psycopg import errors, sql

from warehouse import postgres
from warehouse.access.matrix import SCHEMAS
from warehouse.server import catalogue
from warehouse.server.catalogue import Properties

_OWNER = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
_MAX_SHOWN_LENGTH = 60  # of a property that is shown completely; a longer definition is only reported as different


def find_differences_of_structure(cursor: psycopg.Cursor, existing: set[str]) -> list[str]:
    """Return the differences between the existing schemas and those of this version, one line each. The transaction is left unchanged."""
    names = list(SCHEMAS)
    existing_structure = catalogue.read_structure_of_schemas(cursor, names)
    try:
        with cursor.connection.transaction(force_rollback=True):
            _create_declared_schemas(cursor, existing)
            declared_structure = catalogue.read_structure_of_schemas(cursor, names)
    except errors.InsufficientPrivilege:
        return ["the structure of the tables is not compared: check as the owner of the database, who owns the schemas, or as a superuser"]
    return _list_differences_of_properties(existing_structure, declared_structure)


def _create_declared_schemas(cursor: psycopg.Cursor, existing: set[str]) -> None:
    """Rename the existing schemas, and create empty schemas of this version under their names. The owner of the database owns the new
    ones."""
    (owner,) = cursor.execute(_OWNER).fetchone() or ("",)
    present = cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", (list(SCHEMAS),)).fetchall()
    for (name,) in present:
        cursor.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(f"{name}_existing")))
    cursor.execute(f"SET LOCAL ROLE {owner}".encode())
    postgres.create_empty_schemas(cursor, existing)


def _list_differences_of_properties(existing: Properties, declared: Properties) -> list[str]:
    lines = []
    for kind, name in sorted({*existing, *declared}):
        present, declared_properties = existing.get((kind, name)), declared.get((kind, name))
        if declared_properties is None:
            lines.append(f"{kind} {name} exists, but Harmonia does not create it")
        elif present is None:
            lines.append(f"{kind} {name} is missing")
        elif present != declared_properties:
            surplus, lacking = (
                _join_lines_only_in_first(present, declared_properties),
                _join_lines_only_in_first(declared_properties, present),
            )
            lines.append(f"{kind} {name} has {surplus}, should have {lacking}")
    return lines


def _join_lines_only_in_first(first: list[str], second: list[str]) -> str:
    return ", ".join(_shorten_property(text) for text in first if text not in second) or "nothing"


def _shorten_property(text: str) -> str:
    """Shorten a property for a message; of a long definition, say only that it differs."""
    return text if len(text) <= _MAX_SHOWN_LENGTH and "\n" not in text else f"another {text.split(maxsplit=1)[0]}"
