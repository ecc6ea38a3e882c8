"""The pages of the coordinator: outstanding work of each institution, answers to countersign, releases, the register of reports.

No page here shows a delivered value: only the institution that delivered a value may see it.
"""

from __future__ import annotations

import base64
import io
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from harmonia.errors import HarmoniaError
from harmonia.feedback import answers
from harmonia.feedback.texts import load_feedback_texts
from harmonia.reports import transmission_register
from portal.institution import board, notices
from portal.jobs import Job, find_or_start_job
from portal.permissions import Role
from portal.services import record_action, registry, workplace
from portal.templating import add_notice, language_of
from portal.words import portal_texts
from schemas.findings import rules
from sources import completeness_states, contract
from sources.periods import quarters_of
from warehouse.disclosure import policy, signature
from warehouse.indicators.catalogue import catalogue
from warehouse.releases.folder import is_valid_release_name, sha256
from warehouse.releases.folder import release_names as names
from warehouse.releases.labels import find_label_of_code, make_label_of_cell, make_text_of_figure_status
from warehouse.releases.reading import open_release

_MODULE = "portal.coordinator.releasing"
_MAX_QUARTERS = 12  # quarters on the board
_STATES = ("missing", "unreadable", "partial", "received", "expected", "complete")  # the most urgent first
_VALIDITY = timedelta(days=365)  # how long a countersignature is valid, as the form proposes it
_MAX_KEY_BYTES = 10_000  # bytes of a private key


def overview(request: HttpRequest) -> HttpResponse:
    """Show what each institution still has to deliver, sign or answer, and what waits for the coordinator."""
    quarters = board.list_quarters()
    cells: dict[tuple[str, str], board.Quarter] = {}
    for delivered in sorted(quarters, key=_urgency_of_quarter, reverse=True):  # of several months in a quarter, the most urgent is shown
        cells |= {(delivered.institution, quarter): delivered for quarter in quarters_of(delivered.period)}
    periods = sorted({quarter for _, quarter in cells}, reverse=True)[:_MAX_QUARTERS]
    owed = [
        _list_outstanding_work(name, [delivered for delivered in quarters if delivered.institution == name])
        for name in contract.institutions()
    ]
    content = {
        "institutions": contract.institutions(),
        "periods": periods,
        "cells": cells,
        "owed": owed,
        "waiting": len(_list_answers_to_countersign()),
    }
    return render(request, "coordinator/overview.html", content)


def _urgency_of_quarter(quarter: board.Quarter) -> tuple[bool, int]:
    """Return a key that sorts quarters by urgency: late quarters come first, then the order of `_STATES` decides."""
    return not quarter.late, _STATES.index(quarter.state)


def _list_outstanding_work(institution: str, quarters: list[board.Quarter]) -> dict[str, Any]:
    """Return the quarters of an institution that are missing, incomplete, unsigned, or changed since they were signed."""
    return {
        "institution": institution,
        "missing": [one.period for one in quarters if one.late],
        "partial": [one.period for one in quarters if one.state in ("partial", "unreadable")],
        "unsigned": sum(one.signed.state != completeness_states.SIGNED for one in quarters if one.versions),
        "reopened": [one.period for one in quarters if one.signed.state == completeness_states.REOPENED],
    }


def _list_answers_to_countersign() -> list[Any]:
    """List the answers with the verdict "accepted as it is" on which the coordinator has not decided yet."""
    latest = answers.select_latest_answers(answers.read_answers(registry()))
    return list(latest[(latest["verdict"] == "accepted") & latest["decision"].isna()].itertuples(index=False))


def countersigning(request: HttpRequest) -> HttpResponse:
    """Show the answers that wait for a countersignature, with reason and author. The page names the rule of a finding, never its value."""
    language = language_of(request)
    rows = [
        {"answer": one, "text": rules()[one.rule].text[language] if one.rule in rules() else one.rule}
        for one in _list_answers_to_countersign()
    ]
    year_on = timezone.localdate() + _VALIDITY
    return render(request, "coordinator/answers.html", {"rows": rows, "until": year_on.isoformat(), "t": load_feedback_texts(language)})


def decide_on_answers(request: HttpRequest) -> HttpResponse:
    """Countersign or refuse the marked answers. If one of them cannot be decided, none is."""
    page_texts, who = portal_texts(language_of(request)), request.user.get_username()
    numbers = [int(one) for one in request.POST.getlist("answer") if one.isdecimal()]
    decision, until = request.POST.get("decision", ""), _parse_day(request.POST.get("until", ""))
    why = " ".join(request.POST.get("why", "").split())[:2000]
    if not numbers:
        add_notice(request, "error", page_texts["decide_none"])
    elif decision == "countersigned" and (until is None or until < timezone.localdate()):
        add_notice(request, "error", page_texts["decide_until"])
    elif decision == "refused" and not why:
        add_notice(request, "error", page_texts["decide_why"])
    elif decision in ("countersigned", "refused"):
        waiting = {one.id: one for one in _list_answers_to_countersign()}
        if any(number not in waiting for number in numbers):
            add_notice(request, "error", page_texts["decide_stale"])
        elif any(str(waiting[number].person).casefold() == who.casefold() for number in numbers):
            add_notice(request, "error", page_texts["decide_own"])
        else:
            try:
                expiry_day, reason = (until, None) if decision == "countersigned" else (None, why)
                number_decided = answers.decide_on_answers(registry(), numbers, decision, who, expiry_day, reason)
            except HarmoniaError:  # somebody else has decided meanwhile
                add_notice(request, "error", page_texts["decide_stale"])
            else:
                answered = (f"{waiting[number].institution} {waiting[number].delivery} #{number}" for number in numbers)
                record_action(request, f"{decision} answers", ", ".join(answered), why if decision == "refused" else None)
                add_notice(request, "good", f"{page_texts['decided'][decision]}: {number_decided}")
    return redirect("countersigning")


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def releases(request: HttpRequest) -> HttpResponse:
    """Show the releases, the policy with its state, and the form for a preview."""
    return _show_releases_page(request)


def _show_releases_page(request: HttpRequest, new_key: bytes = b"") -> HttpResponse:
    """Show the page of the releases. `new_key` is the private key that was just created; no other page offers it."""
    home = workplace().home
    listed = [_make_release_content(name) for name in reversed(names(home.releases))]
    try:
        signed: Any = policy.load_policy(home.root)
    except HarmoniaError:
        signed = None
    try:
        unsigned: dict[str, Any] = _make_policy_content(home.root)
    except HarmoniaError as error:
        unsigned = {"problem": str(error)}
    content = {
        "releases": listed,
        "creations": _list_unfinished_creations(),
        "policy": signed,
        "unsigned": unsigned,
        "has_key": (home.root / signature.PUBLIC_KEY).is_file(),
        "new_key": base64.b64encode(new_key).decode(),
        "today": timezone.localdate().isoformat(),
    }
    return render(request, "coordinator/releases.html", content)


def _list_unfinished_creations() -> list[dict[str, str]]:
    """List the releases that are being created, each with its `day` and with the `state` in the address of the page that shows it."""
    folders = (settings.FOLDER / "releases").glob("*-create-*")
    unfinished = (one.name for one in sorted(folders) if not any((one / f"{end}.json").is_file() for end in ("done", "failed")))
    return [dict(zip(("day", "state"), name.split("-create-"), strict=True)) for name in unfinished]


def _make_policy_content(home: Path) -> dict[str, Any]:
    """Return what the page shows of the unsigned policy."""
    content, programme = policy.read_unsigned_policy(home)
    return {"text": content.decode("utf-8", "replace"), "sha256": sha256(content), "programme": programme, "problem": ""}


def _make_release_content(name: str) -> Mapping[str, Any]:
    """Return what the page shows of a release."""
    opened = open_release(workplace().home.releases, name)
    return {"name": name, "figures": opened.manifest["figures"], "years": opened.years(), "policy": opened.manifest["policy"]}


def _hash_inputs_of_preview() -> str:
    """Return a hash of everything that can change a preview: the warehouse, the policy and the earlier releases."""
    home = workplace().home
    current = home.root / "published" / "current"
    published = current.read_text("utf-8") if current.is_file() else str(current.resolve()) if current.exists() else ""
    signed = home.root / policy.SIGNATURE
    parts = [published, signed.read_text("utf-8") if signed.is_file() else "", *names(home.releases)]
    return sha256("\0".join(parts).encode())[:16]


def _find_or_start_release_job(day: str, action: str, state: str) -> Job:
    """Return the job that previews or creates the release of a day. Start it if it was not started yet."""
    return find_or_start_job(settings.FOLDER / "releases" / f"{day}-{action}-{state}", _MODULE, [day, action])


def release(request: HttpRequest, day: str) -> HttpResponse:
    """Show the preview of the release of a day. While it is computed, htmx asks only for the part of the page that changes."""
    if not is_valid_release_name(day):
        raise Http404
    state = _hash_inputs_of_preview()
    release_job = _find_or_start_release_job(day, "preview", state)
    is_htmx = bool(request.headers.get("HX-Request"))
    if is_htmx and release_job.state != "running":
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    content = {"day": day, "job": release_job, "state": state, "exists": day in names(workplace().home.releases), "wish": "preview"}
    return _show_job_page(request, content)


def _show_job_page(request: HttpRequest, content: dict[str, Any]) -> HttpResponse:
    """Show the progress of a preview or creation. If it is done, show its result: the changed year totals by indicator and year, and the
    revised figures."""
    if request.headers.get("HX-Request"):
        return render(request, "coordinator/_releasing.html", content)
    language, result = language_of(request), content["job"].result
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(result.get("totals", []), key=lambda one: (list(catalogue()).index(one["indicator"]), one["table"] != "total")):
        row["note"] = make_text_of_figure_status(row["status"], language, row["limit"]) if row["value"] is None else ""
        name = catalogue()[row["indicator"]].title[language], make_label_of_cell(row["table"], row["cell"], language)
        totals.setdefault(name, {})[row["period"]] = row
    revised = [
        {
            **row,
            "title": catalogue()[row["indicator"]].title[language],
            "of_measure": find_label_of_code("measure", row["measure"], language),
            "of_table": find_label_of_code("table", row["table"], language),
            "of_cell": make_label_of_cell(row["table"], row["cell"], language),
        }
        for row in result.get("rows", [])
    ]
    years = sorted({year for row in totals.values() for year in row})
    content |= {
        "totals": totals,
        "years": years,
        "revised": revised,
        "all_offences": find_label_of_code("offence_group", "total", language),
    }
    return render(request, "coordinator/release.html", content)


def preview_release(request: HttpRequest) -> HttpResponse:
    """Redirect to the preview of the chosen day."""
    day = request.POST.get("day", "")
    if not is_valid_release_name(day):
        add_notice(request, "error", portal_texts(language_of(request))["release_day"])
        return redirect("releases")
    state = _hash_inputs_of_preview()
    folder = settings.FOLDER / "releases" / f"{day}-preview-{state}"
    if (folder / "failed.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # try again: what was wrong may be mended
    return redirect("release", day=day)


def create_release(request: HttpRequest, day: str) -> HttpResponse:
    """Create the release that the preview showed. This is refused if the warehouse, the policy or the releases changed since the
    preview."""
    if not is_valid_release_name(day):
        raise Http404
    if request.POST.get("state") != _hash_inputs_of_preview():
        add_notice(request, "error", portal_texts(language_of(request))["release_changed"])
        return redirect("release", day=day)
    record_action(request, "create a release", day)
    _find_or_start_release_job(day, "create", request.POST["state"])
    return redirect("creation", day=day, state=request.POST["state"])


def show_creation_of_release(request: HttpRequest, day: str, state: str) -> HttpResponse:
    """Show the creation of a release while it runs, and its result."""
    folder = settings.FOLDER / "releases" / f"{day}-create-{state}"
    if not is_valid_release_name(day) or not state.isalnum() or not folder.is_dir():
        raise Http404
    release_job = _find_or_start_release_job(day, "create", state)
    is_htmx = bool(request.headers.get("HX-Request"))
    if is_htmx and release_job.state != "running":
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    content = {"day": day, "job": release_job, "state": state, "exists": release_job.state == "done", "wish": "create"}
    return _show_job_page(request, content)


def download_release(request: HttpRequest, day: str) -> HttpResponse:
    """Send the public part of a release as a ZIP file. Raises `Http404` if there is no such release."""
    releases_folder = workplace().home.releases
    if not is_valid_release_name(day) or day not in names(releases_folder):
        raise Http404
    opened = open_release(releases_folder, day)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in sorted(opened.files.items()):
            written.writestr(name, content)
    response = HttpResponse(archive.getvalue(), content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{day}.zip"'
    return response


def sign_policy(request: HttpRequest) -> HttpResponse:
    """Sign the disclosure policy that the page showed, with the coordinator's private key, which is not stored. If there is no key yet, one
    is made, and the page offers it for download once."""
    page_texts, home = portal_texts(language_of(request)), workplace().home.root
    key_file, is_first_key = request.FILES.get("key"), not (home / signature.PUBLIC_KEY).is_file()
    if key_file is None and not is_first_key:
        add_notice(request, "error", page_texts["key_missing"])
        return redirect("releases")
    if request.POST.get("sha256") != _make_policy_content(home)["sha256"]:
        add_notice(request, "error", page_texts["policy_changed"])
        return redirect("releases")
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = Path(folder) / "coordinator.pem"
        if key_file is not None:
            path.touch(0o600)
            path.write_bytes(key_file.read(_MAX_KEY_BYTES))
        try:
            policy.sign_policy(home, path, request.user.name, timezone.localdate().isoformat())
        except HarmoniaError:
            add_notice(request, "error", page_texts["key_wrong"])
            return redirect("releases")
        key = path.read_bytes()
    record_action(request, "sign the disclosure policy", sha256((home / policy.POLICY).read_bytes()))
    add_notice(request, "good", page_texts["policy_signed"])
    if key_file is None:
        request.shown_at = reverse("releases")
        return _show_releases_page(request, key)
    return redirect("releases")


def register(request: HttpRequest) -> HttpResponse:
    """Show the register of reports (due, late or sent) for the periods of the latest release. With `?all`, also show reports that were due
    before the first run."""
    today = timezone.localdate()
    current_workplace = workplace()
    if not names(current_workplace.home.releases):
        return render(request, "coordinator/register.html", {"rows": None})
    reports, older_reports = transmission_register.list_reports(current_workplace, open_release(current_workplace.home.releases), today)
    order = {"late": 0, "due": 1, "sent late": 2, "sent": 3}
    shows_all = "all" in request.GET
    newest = sorted(reports + older_reports if shows_all else reports, key=lambda one: one.deadline, reverse=True)
    rows = [{"report": one, "state": one.state(today)} for one in sorted(newest, key=lambda one: order[one.state(today)])]
    content = {"rows": rows, "before": len(older_reports), "shows_all": shows_all, "today": today.isoformat()}
    return render(request, "coordinator/register.html", content)


def mark_sent(request: HttpRequest) -> HttpResponse:
    """Record that a report was sent."""
    same_page = redirect(reverse("register") + ("?all" if request.POST.get("all") else ""))
    page_texts, day = portal_texts(language_of(request)), _parse_day(request.POST.get("day", ""))
    fields = {name: " ".join(request.POST.get(name, "").split())[:200] for name in ("audience", "institution", "period", "to")}
    if day is None or not fields["to"]:
        add_notice(request, "error", page_texts["form_incomplete"])
        return same_page
    if day > timezone.localdate():
        add_notice(request, "error", page_texts["sent_in_future"])
        return same_page
    try:
        report = transmission_register.SentReport(**fields, day=day.isoformat())
        transmission_register.record_sent_report(workplace(), report, request.user.get_username())
    except HarmoniaError:
        add_notice(request, "error", page_texts["form_incomplete"])
    else:
        add_notice(request, "good", page_texts["sent_recorded"])
    return same_page


def remind_institution(request: HttpRequest) -> HttpResponse:
    """Tell an institution by e-mail that something waits."""
    institution = request.POST.get("institution", "")
    if institution not in contract.institutions():
        raise Http404
    for role in (Role.CLERK, Role.HEAD):
        notices.send_notices(role, institution)
    if notices.has_mail_server():
        record_action(request, "remind an institution", institution)
    add_notice(request, "good", portal_texts(language_of(request))["reminded" if notices.has_mail_server() else "no_mail"])
    return redirect("coordinator")
