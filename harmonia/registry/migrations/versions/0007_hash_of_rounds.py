"""Hash of each round of comparison, so that a seal covers it without reading all rounds."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The hash, also of the rounds that are there."""
    op.add_column("compared", sa.Column("hash", sa.String(), nullable=False, server_default=""))
    rounds = sa.table("compared", *map(sa.column, ("institution", "period", "evidence", "hash")))
    connection = op.get_bind()
    for one in connection.execute(sa.select(rounds.c.institution, rounds.c.period)).all():
        whose = (rounds.c.institution == one.institution) & (rounds.c.period == one.period)
        evidence = connection.execute(sa.select(rounds.c.evidence).where(whose)).scalar_one()
        connection.execute(rounds.update().where(whose).values(hash=hashlib.sha256(evidence.encode()).hexdigest()))
