"""`python -m portal.engineer.health FOLDER`: read the state of Dagster's daemons and of the inbox sensor through Dagster's API.

This is a separate process, since loading Dagster takes seconds and a hundred megabytes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.resources.workplace import Workplace
from portal.job_result import run_job


def read_dagster_state(folder: Path) -> dict[str, Any]:
    """Return the state of Dagster: the daemons that must run, each with its last heartbeat and whether that is recent; and the last tick of
    the inbox sensor. Both are empty before Dagster is first started."""
    import os

    from dagster import DagsterInstance

    home = Workplace.from_environment().home.dagster
    if not (home / "dagster.yaml").is_file():
        return {"daemons": [], "sensor": None}
    os.environ["DAGSTER_HOME"] = str(home)
    with DagsterInstance.get() as instance:
        statuses = instance.get_daemon_statuses()
        daemons = [
            {"name": name, "healthy": bool(one.healthy), "at": _format_time(one.last_heartbeat.timestamp) if one.last_heartbeat else None}
            for name, one in sorted(statuses.items())
            if one.required
        ]
        ticks = [
            tick
            for state in instance.all_instigator_state()
            if state.instigator_name == "inbox"
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        ]
    sensor = {"at": _format_time(ticks[0].timestamp), "state": ticks[0].status.value} if ticks else None
    return {"daemons": daemons, "sensor": sensor}


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


if __name__ == "__main__":
    run_job(read_dagster_state)
