"""The log of requests for the identity store on PostgreSQL: who asked for whom, when, why. Append-only, outlives every publishing.

Belongs here: the log's table. Does not belong here: how a request is made and honoured (`warehouse/access/identity`), the registry's log of
what stewards looked at with Harmonia's own commands (`pipelines/registry`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, Table, Text

AUDIT = "audit"
REQUESTS = Table(
    "identity_requests",
    MetaData(),
    Column("ticket", BigInteger, Identity(always=True), primary_key=True, comment="number of the request"),
    Column("at", DateTime(timezone=True), nullable=False, comment="when"),
    Column("login", Text, nullable=False, comment="login of the session; SET ROLE does not change it"),
    Column("address", Text, comment="address of the client; null for a local socket"),
    Column("kind", Text, nullable=False, comment="person, case, record, pseudonym, all"),
    Column("subject", Text, comment="id, institution:record key, pseudonym; null for all; never a name"),
    Column("reason", Text, nullable=False, comment="why, in the words of who asked"),
    Column("transaction", Text, nullable=False, comment="that wrote it: only a committed request is honoured"),
    comment="Requests to read names and numbers; a request is committed before anything is shown",
    info={"rows": "audit"},
)
