"""The reason that a user gave for looking at a name."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The reason; null in earlier lines."""
    op.add_column("audit", sa.Column("reason", sa.String(), nullable=True))
