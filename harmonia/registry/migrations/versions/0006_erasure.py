"""Erasure of a person: orders, executed erasures, redacted readings, removed files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _table(name: str, *columns: sa.Column[Any], **refers: str) -> None:
    """A table with a counter `id`, columns, and foreign keys (column -> table.column)."""
    keys = [
        sa.ForeignKeyConstraint([column], [target], name=op.f(f"{name}_{column}_of_{target.split('.')[0]}"))
        for column, target in refers.items()
    ]
    op.create_table(
        name, sa.Column("id", sa.Integer(), nullable=False), *columns, *keys, sa.PrimaryKeyConstraint("id", name=op.f(f"{name}_key"))
    )


def upgrade() -> None:
    """Orders, erasures, redactions, removed files."""

    def text(column: str) -> sa.Column[Any]:
        return sa.Column(column, sa.String(), nullable=False)

    def number(column: str) -> sa.Column[Any]:
        return sa.Column(column, sa.Integer(), nullable=False)

    def moment() -> sa.Column[Any]:
        return sa.Column("at", sa.DateTime(timezone=True), nullable=False)

    _table("erasure_order", moment(), text("person_id"), text("ordered_by"), text("ground"), person_id="entity_id.id")
    _table("erasure", moment(), number("order_id"), text("carried_out_by"), order_id="erasure_order.id")
    of = {"erasure_id": "erasure.id"}
    _table("redaction", number("erasure_id"), number("receipt_id"), text("reading"), **of, receipt_id="receipt.id", reading="file.sha256")
    _table("removed_file", number("erasure_id"), text("sha256"), **of, sha256="file.sha256")
    op.create_index(op.f("redaction_receipt_id"), "redaction", ["receipt_id"])
    op.create_index(op.f("removed_file_sha256"), "removed_file", ["sha256"])
