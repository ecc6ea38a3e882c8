"""What pulls saw at the institutions' sources."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table."""
    op.create_table(
        "pull",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("institution", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=True) for name in ("delivery", "state", "content", "inbox_name", "rule", "detail")),
        sa.PrimaryKeyConstraint("id", name="pull_key"),
    )
