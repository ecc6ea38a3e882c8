"""The engineer's page: what it says of Dagster."""

from __future__ import annotations

import json
import shutil
from typing import Any

from portal_world import World


def _dagster_part(world: World, daemons: list[dict[str, Any]]) -> str:
    folder = world.place.home.root / "portal" / "health"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "done.json").write_text(json.dumps({"daemons": daemons, "sensor": None}), "utf-8")
    try:
        return str(world.client("engineer").get("/engineer/dagster").content.decode())
    finally:
        shutil.rmtree(folder)


def test_a_dagster_that_is_not_started_is_one_line(world: World) -> None:
    stopped = [{"name": name, "healthy": False, "at": None} for name in ("SENSOR", "SCHEDULER")]
    for daemons in ([], stopped):
        page = _dagster_part(world, daemons)
        assert page.count("Dagster is not started") == 1 and "harmonia ui" in page
        assert "not running" not in page and "scheduler" not in page
    page = _dagster_part(world, [stopped[0], {"name": "SCHEDULER", "healthy": True, "at": "2026-12-01T10:00:00+00:00"}])
    assert "Dagster is not started" not in page and page.count("not running") == 1
