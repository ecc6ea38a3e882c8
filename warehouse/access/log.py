"""The log of requests for the identity store on PostgreSQL: who asked for whom, when, why. Append-only; publishing does not touch it.

Each row contains a hash of its own content and of the preceding row's hash. So the rows form a chain, which is broken if a row is changed
or removed. If the last rows are removed, this is detected by comparison with a hash that was stored earlier (`harmonia/audit.py` stores the
newest one in the registry). Belongs here: the log's table, its chain. Does not belong here: how a request is made and answered
(`warehouse/access/identity`), the registry's log of what stewards viewed with Harmonia's commands (`harmonia/registry`).
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
    Column("reason", Text, nullable=False, comment="why, as stated by the requester"),
    Column("transaction", Text, nullable=False, comment="transaction that wrote it: only a committed request is honoured"),
    Column("chain", Text, comment="SHA-256 over this row and the chain of the row before"),
    comment="Requests to read names and numbers; a request is committed before anything is shown",
    info={"rows": "audit"},
)
_LOG = f"{AUDIT}.{REQUESTS.name}"


def make_sql_of_log_row_hash(previous: str, row: str) -> str:
    """Return the SQL expression for the hash of a row in the chain.

    previous: the SQL expression for the hash of the preceding row. row: the prefix of the row's columns, such as "r.", or empty.
    """
    parts = ", ".join(f"{row}{name}" for name in ("ticket", "login", "address", "kind", "subject", "reason", "transaction"))
    content = f"jsonb_build_array({previous}, extract(epoch FROM {row}at), {parts})"
    return f"encode(sha256(convert_to({content}::text, 'UTF8')), 'hex')"


ADD_CHAIN = (
    f"ALTER TABLE {_LOG} ADD COLUMN IF NOT EXISTS chain text",
    f"COMMENT ON COLUMN {_LOG}.chain IS '{REQUESTS.columns['chain'].comment}'",
    f"""DO $$
DECLARE entry record; previous text := '';
BEGIN
  FOR entry IN SELECT * FROM {_LOG} WHERE NOT EXISTS (SELECT FROM {_LOG} WHERE chain IS NOT NULL) ORDER BY ticket LOOP
    previous := {make_sql_of_log_row_hash("previous", "entry.")};
    UPDATE {_LOG} SET chain = previous WHERE ticket = entry.ticket;
  END LOOP;
END $$""",
)
"""SQL statements that add the column `chain` to a log that an earlier version of the program created. They change nothing else."""
BROKEN_CHAIN = f"""
SELECT ticket FROM (SELECT *, lag(chain, 1, '') OVER (ORDER BY ticket) AS previous FROM {_LOG}) r
WHERE chain IS DISTINCT FROM {make_sql_of_log_row_hash("previous", "r.")} ORDER BY ticket"""
NEWEST_REQUEST = f"SELECT ticket, chain FROM {_LOG} ORDER BY ticket DESC LIMIT 1"
HAS_REQUEST = f"SELECT EXISTS (SELECT FROM {_LOG} WHERE ticket = %s AND chain = %s)"
