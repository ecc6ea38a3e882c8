"""The pages of the coordinator: what each institution owes, answers to countersign, releases, the register of reports.

No delivered value is shown here: a value is its supplier's alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from harmonia.errors import HarmoniaError
from harmonia.feedback import answers
from harmonia.feedback.texts import texts
from harmonia.reports import transmission_register
from portal.institution import board, notices
from portal.jobs import Job, job
from portal.permissions import Role
from portal.services import note, registry, workplace
from portal.templating import language_of, tell
from portal.words import words
from schemas.findings import rules
from sources import contract, states
from sources.periods import quarters_of
from warehouse.disclosure import policy, signature
from warehouse.releases.folder import is_day, sha256
from warehouse.releases.folder import release_names as names
from warehouse.releases.reading import open_release

_MODULE = "portal.coordinator.releasing"
_SHOWN = 12  # quarters on the board
_STATES = ("missing", "unreadable", "partial", "received", "expected", "complete")  # the most urgent first
_KEY = 10_000  # bytes of a private key


def overview(request: HttpRequest) -> HttpResponse:
    """What each institution owes, and what waits for the coordinator."""
    every = board.quarters()
    cells: dict[tuple[str, str], board.Quarter] = {}
    for one in sorted(every, key=_urgency, reverse=True):  # of several months in a quarter the most urgent shows
        cells |= {(one.institution, quarter): one for quarter in quarters_of(one.period)}
    periods = sorted({quarter for _, quarter in cells}, reverse=True)[:_SHOWN]
    owed = [_owed(name, [one for one in every if one.institution == name]) for name in contract.institutions()]
    content = {"institutions": contract.institutions(), "periods": periods, "cells": cells, "owed": owed, "waiting": len(_waiting())}
    return render(request, "coordinator/overview.html", content)


def _urgency(one: board.Quarter) -> tuple[bool, int]:
    return not one.late, _STATES.index(one.state)


def _owed(institution: str, quarters: list[board.Quarter]) -> dict[str, Any]:
    """An institution's quarters that are missing, not whole, not signed; its findings that wait."""
    return {
        "institution": institution,
        "missing": [one.period for one in quarters if one.late],
        "partial": [one.period for one in quarters if one.state in ("partial", "unreadable")],
        "unsigned": sum(one.signed.state != states.SIGNED for one in quarters if one.versions),
        "reopened": [one.period for one in quarters if one.signed.state == states.REOPENED],
    }


def _waiting() -> list[Any]:
    """Answers "accepted as it is" that nobody decided on."""
    latest = answers.latest(answers.read(registry()))
    return list(latest[(latest["verdict"] == "accepted") & latest["decision"].isna()].itertuples(index=False))


def countersigning(request: HttpRequest) -> HttpResponse:
    """The answers that wait for a countersignature, with reason and author; the rule, never the value."""
    language = language_of(request)
    rows = [{"answer": one, "text": rules()[one.rule].text[language] if one.rule in rules() else one.rule} for one in _waiting()]
    year_on = timezone.localdate().replace(month=12, day=31)
    return render(request, "coordinator/answers.html", {"rows": rows, "until": year_on.isoformat(), "t": texts(language)})


def decide(request: HttpRequest) -> HttpResponse:
    """Countersign or refuse the marked answers, all or none."""
    told, who = words(language_of(request)), request.user.get_username()
    numbers = [int(one) for one in request.POST.getlist("answer") if one.isdecimal()]
    decision, until = request.POST.get("decision", ""), _day(request.POST.get("until", ""))
    if not numbers:
        tell(request, "error", told["decide_none"])
    elif decision == "countersigned" and (until is None or until < timezone.localdate()):
        tell(request, "error", told["decide_until"])
    elif decision in ("countersigned", "refused"):
        authors = {one.id: one.person for one in _waiting()}
        if any(number not in authors for number in numbers):
            tell(request, "error", told["decide_stale"])
        elif any(str(authors[number]).casefold() == who.casefold() for number in numbers):
            tell(request, "error", told["decide_own"])
        else:
            try:
                done = answers.decide(registry(), numbers, decision, who, until if decision == "countersigned" else None)
            except HarmoniaError:  # decided meanwhile
                tell(request, "error", told["decide_stale"])
            else:
                note(request, f"{decision} answers", ", ".join(map(str, numbers)))
                tell(request, "good", f"{told['decided'][decision]}: {done}")
    return redirect("countersigning")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def releases(request: HttpRequest) -> HttpResponse:
    """The releases, the policy in force, the form of a preview."""
    home = workplace().home
    listed = [_release(name) for name in reversed(names(home.releases))]
    try:
        signed: Any = policy.load(home.root)
        problem = ""
    except HarmoniaError as error:
        signed, problem = None, str(error)
    has_key = (home.root / signature.PUBLIC_KEY).is_file()
    content = {"releases": listed, "policy": signed, "problem": problem, "has_key": has_key, "today": timezone.localdate().isoformat()}
    return render(request, "coordinator/releases.html", content)


def _release(name: str) -> Mapping[str, Any]:
    found = open_release(workplace().home.releases, name)
    return {"name": name, "figures": found.manifest["figures"], "years": found.years(), "policy": found.manifest["policy"]}


def _state() -> str:
    """Changes whenever a preview would: warehouse, policy, earlier releases."""
    home = workplace().home
    current = home.root / "published" / "current"
    published = current.read_text("utf-8") if current.is_file() else str(current.resolve()) if current.exists() else ""
    signed = home.root / policy.SIGNATURE
    parts = [published, signed.read_text("utf-8") if signed.is_file() else "", *names(home.releases)]
    return sha256("\0".join(parts).encode())[:16]


def _job(day: str, wish: str, state: str) -> Job:
    return job(settings.FOLDER / "releases" / f"{day}-{wish}-{state}", _MODULE, [day, wish])


def release(request: HttpRequest, day: str) -> HttpResponse:
    """The preview of a release of a day; a part of the page while it is computed."""
    if not is_day(day):
        raise Http404
    state = _state()
    found = _job(day, "preview", state)
    asked = bool(request.headers.get("HX-Request"))
    if asked and found.state != "running":
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    here = {"day": day, "job": found, "state": state, "exists": day in names(workplace().home.releases), "wish": "preview"}
    return render(request, "coordinator/_releasing.html" if asked else "coordinator/release.html", here)


def preview(request: HttpRequest) -> HttpResponse:
    """To the preview of the day that was chosen."""
    day = request.POST.get("day", "")
    if not is_day(day):
        tell(request, "error", words(language_of(request))["release_day"])
        return redirect("releases")
    state = _state()
    done = settings.FOLDER / "releases" / f"{day}-preview-{state}"
    if (done / "failed.json").is_file():
        shutil.rmtree(done, ignore_errors=True)  # try again: what was wrong may be mended
    return redirect("release", day=day)


def create(request: HttpRequest, day: str) -> HttpResponse:
    """Create the release that the preview showed. Refused where warehouse, policy or releases changed since."""
    if not is_day(day):
        raise Http404
    if request.POST.get("state") != _state():
        tell(request, "error", words(language_of(request))["release_changed"])
        return redirect("release", day=day)
    note(request, "create a release", day)
    _job(day, "create", request.POST["state"])
    return redirect("creation", day=day, state=request.POST["state"])


def creation(request: HttpRequest, day: str, state: str) -> HttpResponse:
    """The creation of a release while it runs, and its end."""
    folder = settings.FOLDER / "releases" / f"{day}-create-{state}"
    if not is_day(day) or not state.isalnum() or not folder.is_dir():
        raise Http404
    found = _job(day, "create", state)
    asked = bool(request.headers.get("HX-Request"))
    if asked and found.state != "running":
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    here = {"day": day, "job": found, "state": state, "exists": found.state == "done", "wish": "create"}
    return render(request, "coordinator/_releasing.html" if asked else "coordinator/release.html", here)


def sign_policy(request: HttpRequest) -> HttpResponse:
    """Sign the disclosure policy with the coordinator's key, which is not kept; a new key is handed out once."""
    told, home = words(language_of(request)), workplace().home.root
    given, new = request.FILES.get("key"), not (home / signature.PUBLIC_KEY).is_file()
    if given is None and not new:
        tell(request, "error", told["key_missing"])
        return redirect("releases")
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = Path(folder) / "coordinator.pem"
        if given is not None:
            path.touch(0o600)
            path.write_bytes(given.read(_KEY))
        try:
            policy.sign(home, path, request.user.name, timezone.localdate().isoformat())
        except HarmoniaError:
            tell(request, "error", told["key_wrong"])
            return redirect("releases")
        key = path.read_bytes()
    note(request, "sign the disclosure policy", sha256((home / policy.POLICY).read_bytes()))
    tell(request, "good", told["policy_signed"])
    if given is None:
        sent = HttpResponse(key, content_type="application/x-pem-file")
        sent.headers["Content-Disposition"] = 'attachment; filename="coordinator.pem"'
        return sent
    return redirect("releases")


def register(request: HttpRequest) -> HttpResponse:
    """The register of reports: due, late, sent; the latest release says for which periods."""
    today = timezone.localdate()
    place = workplace()
    if not names(place.home.releases):
        return render(request, "coordinator/register.html", {"rows": None, "before": 0})
    ours, before = transmission_register.due_reports(place, open_release(place.home.releases), today)
    order = {"late": 0, "due": 1, "sent late": 2, "sent": 3}
    newest = sorted(ours, key=lambda one: one.deadline, reverse=True)
    rows = [{"report": one, "state": one.state(today)} for one in sorted(newest, key=lambda one: order[one.state(today)])]
    content = {"rows": rows, "before": len(before), "today": today.isoformat()}
    return render(request, "coordinator/register.html", content)


def mark_sent(request: HttpRequest) -> HttpResponse:
    """Record that a report was sent."""
    told, day = words(language_of(request)), _day(request.POST.get("day", ""))
    fields = {name: " ".join(request.POST.get(name, "").split())[:200] for name in ("audience", "institution", "period", "to")}
    if day is None or not fields["to"]:
        tell(request, "error", told["form_incomplete"])
        return redirect("register")
    try:
        transmission_register.record_sent(workplace(), transmission_register.SentReport(**fields, day=day.isoformat()))
    except HarmoniaError:
        tell(request, "error", told["form_incomplete"])
    else:
        tell(request, "good", told["sent_recorded"])
    return redirect("register")


def remind(request: HttpRequest) -> HttpResponse:
    """Tell an institution by e-mail that something waits."""
    institution = request.POST.get("institution", "")
    if institution not in contract.institutions():
        raise Http404
    for role in (Role.CLERK, Role.HEAD):
        notices.waiting(role, institution)
    note(request, "remind an institution", institution)
    tell(request, "good", words(language_of(request))["reminded" if notices.open_for_mail() else "no_mail"])
    return redirect("coordinator")
