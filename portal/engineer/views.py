"""The pages of engineers: all deliveries with links to Dagster, the latest runs, and the health of the installation. They show no delivered
value."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from sqlalchemy import select

from harmonia.lock import is_home_locked
from harmonia.operations import maintenance
from harmonia.registry.ledger import read_deliveries
from harmonia.registry.tables import Run
from portal.jobs import find_or_start_job
from portal.services import registry, workplace
from sources import contract

_MAX_STATE_AGE = 60  # seconds after which the state of Dagster is asked again
_MAX_RUNS = 12


def overview(request: HttpRequest) -> HttpResponse:
    """Show the deliveries, the latest runs and the health of the installation."""
    current_workplace = workplace()
    with registry().read() as session:
        landed = read_deliveries(session)
        runs = list(session.scalars(select(Run).order_by(Run.id.desc()).limit(_MAX_RUNS)))
    chosen = request.GET.get("institution", "")
    listed = [one for one in reversed(landed) if chosen in ("", one.institution)]
    rows = [{"delivery": one, "link": _make_dagster_link(one.institution, one.name)} for one in listed]
    disk = shutil.disk_usage(current_workplace.home.root)
    content = {
        "rows": rows[:200],
        "more": max(0, len(rows) - 200),
        "institutions": contract.institutions(),
        "chosen": chosen,
        "runs": runs,
        "running": is_home_locked(current_workplace.home),
        "disk": {"free": disk.free, "total": disk.total, "share": round(100 * disk.free / disk.total)},
        "backup": maintenance.read_latest_note(current_workplace, "backup"),
        "verify": maintenance.read_latest_note(current_workplace, "verify"),
        "pages": settings.DAGSTER_PAGES,
    }
    return render(request, "engineer/overview.html", content)


def _make_dagster_link(institution: str, delivery: str) -> str:
    """Return the address of the page on which Dagster shows a delivery. In Dagster, a delivery is a partition of an asset."""
    return f"{settings.DAGSTER_PAGES}/assets/{institution}/delivery?{urlencode({'view': 'partitions', 'partition': delivery})}"


def dagster(request: HttpRequest) -> HttpResponse:
    """Show the state of Dagster's daemons and of the inbox sensor. The browser loads this part after the rest of the page."""
    folder = settings.FOLDER / "health"
    done = folder / "done.json"
    if done.is_file() and time.time() - done.stat().st_mtime > _MAX_STATE_AGE:
        shutil.rmtree(folder, ignore_errors=True)
    state_job = find_or_start_job(folder, "portal.engineer.health", [])
    content: dict[str, Any] = {"job": state_job, "started": any(one["healthy"] for one in state_job.result.get("daemons", []))}
    if state_job.state == "done":
        for entry in (*state_job.result["daemons"], *([state_job.result["sensor"]] if state_job.result["sensor"] else [])):
            entry["moment"] = datetime.fromisoformat(entry["at"]) if entry["at"] else None
    return render(request, "engineer/_dagster.html", content)
