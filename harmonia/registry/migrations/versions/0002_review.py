"""Review: context of judgements, blind samples, audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Review: context of judgements, blind samples, audit log."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_key")),
    )
    op.create_table(
        "review_sample",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("review_sample_run_id_of_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("review_sample_key")),
    )
    op.create_table(
        "review_stratum",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("joined", sa.Boolean(), nullable=False),
        sa.Column("pairs", sa.BigInteger(), nullable=False),
        sa.Column("drawn", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sample_id"], ["review_sample.id"], name=op.f("review_stratum_sample_id_of_review_sample")),
        sa.PrimaryKeyConstraint("sample_id", "name", name=op.f("review_stratum_key")),
    )
    op.create_table(
        "review_sampled_pair",
        sa.Column("sample_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stratum", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("institution_a", sa.String(), nullable=False),
        sa.Column("record_key_a", sa.String(), nullable=False),
        sa.Column("institution_b", sa.String(), nullable=False),
        sa.Column("record_key_b", sa.String(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=True),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_id", "stratum"],
            ["review_stratum.sample_id", "review_stratum.name"],
            name=op.f("review_sampled_pair_sample_id_of_review_stratum"),
        ),
        sa.PrimaryKeyConstraint("sample_id", "position", name=op.f("review_sampled_pair_key")),
    )
    with op.batch_alter_table("judgement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("model", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("weight", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("blind", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("origin", sa.String(), nullable=True))
