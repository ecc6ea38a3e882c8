"""Alembic's entry point: runs the migrations on the connection passed by `connection.py`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from harmonia.registry.connection import VERSION_TABLE
from harmonia.registry.tables import Base, Instant


def _render_column_type(kind: str, item: Any, _: object) -> str | Literal[False]:
    """Migrations must not depend on classes of the current code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Instant) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    render_item=_render_column_type,
)
with context.begin_transaction():
    context.run_migrations()
