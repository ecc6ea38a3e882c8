"""Initial registry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Initial registry."""
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("institution", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("read", sa.BigInteger(), nullable=True),
        sa.Column("accepted", sa.BigInteger(), nullable=True),
        sa.Column("superseded", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn", sa.BigInteger(), nullable=True),
        sa.Column("quarantined", sa.BigInteger(), nullable=True),
        sa.Column("structural", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("delivery_key")),
        sa.UniqueConstraint("institution", "name", name=op.f("delivery_institution_name_unique")),
    )
    op.create_table(
        "entity_id",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("minted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("redirect_to", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["redirect_to"], ["entity_id.id"], name=op.f("entity_id_redirect_to_of_entity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("entity_id_key")),
        sa.UniqueConstraint("kind", "number", name=op.f("entity_id_kind_number_unique")),
    )
    op.create_table(
        "file",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("file_key")),
    )
    op.create_table(
        "finding_life",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("institution", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("record_key", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("first_delivery", sa.String(), nullable=False),
        sa.Column("last_delivery", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("finding_life_key")),
        sa.UniqueConstraint(
            "institution",
            "rule",
            "file",
            "record_key",
            "field",
            name=op.f("finding_life_institution_rule_file_record_key_field_unique"),
        ),
    )
    op.create_table(
        "judgement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("institution_a", sa.String(), nullable=False),
        sa.Column("record_key_a", sa.String(), nullable=False),
        sa.Column("institution_b", sa.String(), nullable=False),
        sa.Column("record_key_b", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("steward", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("judgement_key")),
    )
    with op.batch_alter_table("judgement", schema=None) as batch_op:
        batch_op.create_index("judgement_pair", ["kind", "institution_a", "record_key_a", "institution_b", "record_key_b"], unique=False)

    op.create_table(
        "problem",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("institution", sa.String(), nullable=True),
        sa.Column("delivery", sa.String(), nullable=True),
        sa.Column("file", sa.String(), nullable=True),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("problem_key")),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("run_key")),
    )
    op.create_table(
        "membership",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("institution", sa.String(), nullable=False),
        sa.Column("record_key", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["entity_id"], ["entity_id.id"], name=op.f("membership_entity_id_of_entity_id")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("membership_key")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index(
            "membership_current",
            ["kind", "institution", "record_key"],
            unique=True,
            sqlite_where=sa.text("until IS NULL"),
            postgresql_where=sa.text("until IS NULL"),
        )
        batch_op.create_index(batch_op.f("membership_entity_id"), ["entity_id"], unique=False)

    op.create_table(
        "receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("incomplete", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("receipt_delivery_id_of_delivery")),
        sa.PrimaryKeyConstraint("id", name=op.f("receipt_key")),
        sa.UniqueConstraint("delivery_id", "sequence", name=op.f("receipt_delivery_id_sequence_unique")),
    )
    op.create_table(
        "delivery_file",
        sa.Column("receipt_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name=op.f("delivery_file_receipt_id_of_receipt")),
        sa.ForeignKeyConstraint(["sha256"], ["file.sha256"], name=op.f("delivery_file_sha256_of_file")),
        sa.PrimaryKeyConstraint("receipt_id", "name", name=op.f("delivery_file_key")),
    )
    with op.batch_alter_table("delivery_file", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("delivery_file_sha256"), ["sha256"], unique=False)
