"""Role x table x column: derived from `roles.yaml` (what a role sees of a class of tables) and `tables.py` (the class of each table).

Belongs here: roles, and what each may read. Does not belong here: their enforcement in a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from sqlalchemy import MetaData, Table

from sources import contract
from warehouse import tables
from warehouse.access.log import AUDIT, REQUESTS
from warehouse.stores import IDENTITY, STORES

ALL, OWN, ON_REQUEST, NONE = "all", "own", "on_request", "none"
SCHEMAS: dict[str, MetaData] = {**STORES, AUDIT: REQUESTS.metadata}
"""Every schema of the warehouse's database and its tables: the stores, and the log of requests."""


@dataclass(frozen=True)
class Role:
    """A role declared in `roles.yaml`.

    rows: for each class of tables (own, shared, reference), which rows the role sees (all, own). institution: the institution to which the
    role belongs; None if it belongs to none.
    """

    name: str
    store: str
    rows: dict[str, str]
    personal: str = NONE
    audit: str = NONE
    institution: str | None = None

    def visible_rows(self, schema: str, table: Table) -> str:
        """Return which rows of `table` in `schema` the role may read: all, own, on_request, none."""
        if schema == IDENTITY:
            return self.personal
        if schema == AUDIT:
            return self.audit
        return self.rows.get(str(table.info.get("rows")), NONE) if schema == self.store else NONE

    def readable_columns(self, schema: str, table: Table) -> list[str]:
        """Return the columns of `table` in `schema` that the role may read. A role that sees only its own rows reads no column that
        depends on records of other institutions."""
        rows = self.visible_rows(schema, table)
        hidden = tables.find_columns_depending_on_linkage(table) if rows == OWN else set()
        return [] if rows == NONE else [column.name for column in table.columns if column.name not in hidden]


@cache
def roles() -> tuple[Role, ...]:
    """Read all roles, in the order of `roles.yaml`. Raises `ValueError` if a role uses a term that the file does not declare."""
    declared = yaml.safe_load(files("warehouse.access").joinpath("roles.yaml").read_text("utf-8"))
    declared_roles: list[Role] = []
    for name, spec in declared.items():
        is_per_institution = spec.pop("each", None) is not None
        _check_terms_in_role_declaration(name, spec)
        if is_per_institution:
            declared_roles += [Role(f"{name}_{institution}", institution=institution, **spec) for institution in contract.institutions()]
        else:
            declared_roles.append(Role(name, **spec))
    return tuple(declared_roles)


def _check_terms_in_role_declaration(name: str, declared: dict[str, object]) -> None:
    rows = declared["rows"]
    if (
        declared["store"] not in STORES
        or not isinstance(rows, dict)
        or not set(rows) <= {"own", "shared", "reference"}
        or not set(rows.values()) <= {ALL, OWN}
        or declared.get("personal", ON_REQUEST) != ON_REQUEST
        or declared.get("audit", ALL) != ALL
    ):
        raise ValueError(f"roles.yaml: role {name} uses a term that is not declared at the head of the file")


def find_role_by_name(name: str) -> Role | None:
    """Return the role called `name`; None if there is none."""
    return next((declared for declared in roles() if declared.name == name), None)
