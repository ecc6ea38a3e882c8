"""What a server should be made of, derived: the statements that publishing runs are run, looked at and rolled back.

Belongs here: that, and how it differs from what stands. Does not belong here: the statements (`warehouse/access/grants`,
`warehouse/postgres`), questions to the catalogue (`warehouse/server/catalogue`).

The standing schemas are renamed, those of this version are made under their names, the server is asked what they are made of, and all is
rolled back: nobody sees anything of it, nothing is locked but names. So nothing is declared twice, and whatever no statement of ours
makes shows.
"""

from __future__ import annotations

import psycopg
from psycopg import errors, sql

from warehouse import postgres
from warehouse.access.matrix import SCHEMAS
from warehouse.server import catalogue
from warehouse.server.catalogue import Facts

_OWNER = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
_LENGTH = 60  # of a fact that is told whole; a definition is only said to be another


def differing(cursor: psycopg.Cursor, existing: set[str]) -> list[str]:
    """How the standing schemas differ from what this version makes, a line each. Leaves the transaction as it was."""
    names = list(SCHEMAS)
    standing = catalogue.structure(cursor, names)
    try:
        with cursor.connection.transaction(force_rollback=True):
            _make(cursor, existing)
            declared = catalogue.structure(cursor, names)
    except errors.InsufficientPrivilege:
        return ["what the tables are made of is not compared: check as the owner of the database, who owns the schemas, or as a superuser"]
    return _lines(standing, declared)


def _make(cursor: psycopg.Cursor, existing: set[str]) -> None:
    """The schemas as this version makes them, empty, in the place of those that stand; owned by who owns the database."""
    (owner,) = cursor.execute(_OWNER).fetchone() or ("",)
    stand = cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", (list(SCHEMAS),)).fetchall()
    for (name,) in stand:
        cursor.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(f"{name}_standing")))
    cursor.execute(f"SET LOCAL ROLE {owner}".encode())
    postgres.make_empty(cursor, existing)


def _lines(standing: Facts, declared: Facts) -> list[str]:
    out = []
    for what, name in sorted({*standing, *declared}):
        there, wanted = standing.get((what, name)), declared.get((what, name))
        if wanted is None:
            out.append(f"{what} {name} is there, and no version of Harmonia makes it")
        elif there is None:
            out.append(f"{what} {name} is not there")
        elif there != wanted:
            more, less = (", ".join(_short(one) for one in a if one not in b) or "nothing" for a, b in ((there, wanted), (wanted, there)))
            out.append(f"{what} {name} has {more}, where {less} should be")
    return out


def _short(fact: str) -> str:
    """A fact in few words: of a definition that it is one."""
    return fact if len(fact) <= _LENGTH and "\n" not in fact else f"another {fact.split(maxsplit=1)[0]}"
