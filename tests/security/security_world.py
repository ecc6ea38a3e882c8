"""What the tests of access share: a server with published stores, and who connects to it."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from postgres_world import Server

from warehouse.stores import Stores

DATABASE, NOBODY = "justice", "nobody_in_particular"
ROWS = 40
"""Of each institution in each table: enough for the planner to keep histograms."""


@dataclass(frozen=True)
class Published:
    """A server with published stores."""

    server: Server
    stores: Stores

    @property
    def owner(self) -> str:
        return self.server.url("postgres", DATABASE)

    def connect(self, role: str, *, autocommit: bool = True) -> psycopg.Connection:
        """As a login that has `role` (or none: NOBODY)."""
        return psycopg.connect(self.server.url(f"login_{role}", DATABASE), autocommit=autocommit)
