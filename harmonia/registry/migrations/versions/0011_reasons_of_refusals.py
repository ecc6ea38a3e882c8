"""The reason for which an answer was refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column; null for answers that were refused before."""
    op.add_column("answer", sa.Column("decision_reason", sa.String(), nullable=True))
