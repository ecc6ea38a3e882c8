"""The declared structure of a server, derived by running the statements of publishing in a transaction that is rolled back.

Belongs here: that, and the comparison with the existing structure. Does not belong here: the statements (`warehouse/access/grants`,
`warehouse/postgres`), queries of the catalogue (`warehouse/server/catalogue`).
The existing schemas are renamed, those of this version are created under their names, the catalogue is queried, and everything is
rolled back: no other session sees it, and only names are locked. So nothing is declared twice, and any object that our statements do not
create is reported.
"""

from __future__ import annotations

import psycopg
from psycopg import errors, sql

from warehouse import postgres
from warehouse.access.matrix import SCHEMAS
from warehouse.server import catalogue
from warehouse.server.catalogue import Facts

_OWNER = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()"
_LENGTH = 60  # of a fact that is shown completely; a longer definition is only reported as different


def differing(cursor: psycopg.Cursor, existing: set[str]) -> list[str]:
    """Differences between the existing schemas and those of this version, one line each. Leaves the transaction unchanged."""
    names = list(SCHEMAS)
    standing = catalogue.structure(cursor, names)
    try:
        with cursor.connection.transaction(force_rollback=True):
            _make(cursor, existing)
            declared = catalogue.structure(cursor, names)
    except errors.InsufficientPrivilege:
        return ["the structure of the tables is not compared: check as the owner of the database, who owns the schemas, or as a superuser"]
    return _lines(standing, declared)


def _make(cursor: psycopg.Cursor, existing: set[str]) -> None:
    """Create the schemas of this version, empty, in place of the existing ones, with the owner of the database as owner."""
    (owner,) = cursor.execute(_OWNER).fetchone() or ("",)
    present = cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", (list(SCHEMAS),)).fetchall()
    for (name,) in present:
        cursor.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(f"{name}_standing")))
    cursor.execute(f"SET LOCAL ROLE {owner}".encode())
    postgres.make_empty(cursor, existing)


def _lines(standing: Facts, declared: Facts) -> list[str]:
    out = []
    for what, name in sorted({*standing, *declared}):
        there, wanted = standing.get((what, name)), declared.get((what, name))
        if wanted is None:
            out.append(f"{what} {name} exists, but Harmonia does not create it")
        elif there is None:
            out.append(f"{what} {name} is missing")
        elif there != wanted:
            more, less = (", ".join(_short(one) for one in a if one not in b) or "nothing" for a, b in ((there, wanted), (wanted, there)))
            out.append(f"{what} {name} has {more}, should have {less}")
    return out


def _short(fact: str) -> str:
    """A fact, shortened: for a definition only that it differs."""
    return fact if len(fact) <= _LENGTH and "\n" not in fact else f"another {fact.split(maxsplit=1)[0]}"
