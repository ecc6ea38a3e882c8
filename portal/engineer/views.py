"""The pages of engineers: every delivery beside Dagster's runs, and the health of the installation. No delivered value is shown."""

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

from harmonia.lock import run_is_held
from harmonia.operations import maintenance
from harmonia.registry.ledger import deliveries
from harmonia.registry.tables import Run
from portal.jobs import job
from portal.services import registry, workplace
from sources import contract

_STALE = 60  # seconds after which the state of Dagster is asked again
_RUNS = 12


def overview(request: HttpRequest) -> HttpResponse:
    """The board of deliveries and the health of the installation."""
    place = workplace()
    with registry().read() as session:
        landed = deliveries(session)
        runs = list(session.scalars(select(Run).order_by(Run.id.desc()).limit(_RUNS)))
    chosen = request.GET.get("institution", "")
    wanted = [one for one in reversed(landed) if chosen in ("", one.institution)]
    rows = [{"delivery": one, "link": _link(one.institution, one.name)} for one in wanted]
    disk = shutil.disk_usage(place.home.root)
    content = {
        "rows": rows[:200],
        "more": max(0, len(rows) - 200),
        "institutions": contract.institutions(),
        "chosen": chosen,
        "runs": runs,
        "running": run_is_held(place.home),
        "disk": {"free": disk.free, "total": disk.total, "share": round(100 * disk.free / disk.total)},
        "backup": maintenance.latest(place, "backup"),
        "verify": maintenance.latest(place, "verify"),
        "pages": settings.DAGSTER_PAGES,
    }
    return render(request, "engineer/overview.html", content)


def _link(institution: str, delivery: str) -> str:
    """Dagster's page of a delivery: the partition of its asset."""
    return f"{settings.DAGSTER_PAGES}/assets/{institution}/delivery?{urlencode({'view': 'partitions', 'partition': delivery})}"


def dagster(request: HttpRequest) -> HttpResponse:
    """The state of daemon and sensor: a part of the page, loaded after it."""
    folder = settings.FOLDER / "health"
    done = folder / "done.json"
    if done.is_file() and time.time() - done.stat().st_mtime > _STALE:
        shutil.rmtree(folder, ignore_errors=True)
    found = job(folder, "portal.engineer.health", [])
    content: dict[str, Any] = {"job": found}
    if found.state == "done":
        for one in (*found.result["daemons"], *([found.result["sensor"]] if found.result["sensor"] else [])):
            one["moment"] = datetime.fromisoformat(one["at"]) if one["at"] else None
    return render(request, "engineer/_dagster.html", content)
