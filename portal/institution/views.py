"""The pages of an institution. What they do is in `uploads`, `findings`, `board`, `harmonia.feedback` and `harmonia.signing`.

Every page here has the institution in its path; the route's declaration has checked that it is the account's own.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode

from harmonia import signing
from harmonia.errors import HarmoniaError
from harmonia.feedback import answers, exchange, intake
from harmonia.feedback.texts import texts, visible
from harmonia.registry.ledger import deliveries
from harmonia.registry.tables import Answer, Delivery
from pipelines.failures import disk_full
from portal.institution import board, findings, notices, uploads
from portal.institution.checking import earlier_periods
from portal.institution.findings import KINDS, Filter, Findings
from portal.institution.models import Submission, Upload
from portal.permissions import Role
from portal.services import note, registry, workplace
from portal.templating import language_of, tell
from portal.words import words
from schemas.findings import rules
from sources.contract import DeliveryName
from warehouse.indicators import indicators

_IMPORTING = threading.Lock()  # the process that reads workbooks takes one at a time
_WORKBOOK = 50 << 20  # bytes of an answered workbook
_BULK = 5_000  # findings answered at once


def institution(request: HttpRequest, institution: str) -> HttpResponse:
    """The board of quarters."""
    uploads.settle()
    open_uploads = Upload.objects.filter(institution=institution).order_by("-at")
    content = {"institution": institution, "quarters": board.quarters(institution), "steps": board.STEPS, "uploads": open_uploads}
    return render(request, "institution/board.html", content)


def new(request: HttpRequest, institution: str) -> HttpResponse:
    """Upload a delivery: the page, and the files. Answers a script with JSON, a form with a page."""
    chosen = request.POST.get("period") or request.GET.get("period") or ""
    possible = board.periods(institution)
    content = {"institution": institution, "periods": possible, "chosen": chosen, "problem": None, "most": settings.UPLOAD_BYTES >> 20}
    if request.method == "POST":
        scripted = request.headers.get("X-Requested-With") == "XMLHttpRequest"
        try:
            if chosen not in possible:
                raise uploads.UploadRefusedError("no_period")
            made = uploads.receive(request.user, institution, chosen, request.FILES.getlist("files"))
        except (uploads.UploadRefusedError, HarmoniaError) as error:
            line = _refused(request, error)
            if scripted:
                return JsonResponse({"problem": line}, status=422)
            return render(request, "institution/new.html", {**content, "problem": line}, status=422)
        there = reverse("upload", kwargs={"institution": institution, "token": made.token})
        return JsonResponse({"next": there}) if scripted else redirect(there)
    return render(request, "institution/new.html", content)


def _refused(request: HttpRequest, error: Exception) -> str:
    told = words(language_of(request))["upload_problems"]
    if isinstance(error, uploads.UploadRefusedError):
        return str(told[error.problem]).format(about=error.about)
    return str(told["disk_full" if disk_full(error) else "storage"])


def upload(request: HttpRequest, institution: str, token: str) -> HttpResponse:
    """An upload: its check, what it would count, its findings; a part of the page while the check runs."""
    found = get_object_or_404(Upload, token=token, institution=institution)
    check = uploads.check(found)
    content: dict[str, Any] = {
        "institution": institution,
        "upload": found,
        "check": check,
        "periods": (found.period, *earlier_periods(found.period)),
    }
    if check.state == "done":
        table = findings.opened(check.findings)
        content |= _warnings(found, check) | (_list(request, table, {}) if table else {})
    template = "institution/_running.html" if request.headers.get("HX-Request") and check.state == "running" else "institution/upload.html"
    response = render(request, template, content)
    if request.headers.get("HX-Request") and check.state != "running":
        response = HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return response


def _warnings(upload: Upload, check: uploads.Check) -> dict[str, Any]:
    """What to say before the figures: files of another institution, another quarter, a delivery that is there already."""
    files = check.result["files"]
    by_period: dict[str, int] = check.result["periods"]
    most = max(by_period, key=lambda period: by_period[period], default=upload.period)
    other = most if by_period.get(upload.period, 0) < by_period.get(most, 0) else None
    foreign = [one["file"] for one in files if one["state"] == "foreign"]
    return {
        "foreign": foreign,
        "other_quarter": other,
        "same": uploads.same_as(upload),
        "costly": check.result["counts"]["reject"] + check.result["counts"]["error"],
    }


def submit(request: HttpRequest, institution: str, token: str) -> HttpResponse:
    """Submit an upload; a second press shows the same receipt."""
    done = Submission.objects.filter(token=token, institution=institution, placed=True).first()
    if done is None:
        found = get_object_or_404(Upload, token=token, institution=institution)
        try:
            done = uploads.submit(found, request.user)
        except (uploads.UploadRefusedError, HarmoniaError) as error:
            tell(request, "error", _refused(request, error))
            return redirect("institution", institution=institution)
        note(request, "submit a delivery", f"{institution} {done.delivery}: {done.hash}")
    return redirect("receipt", institution=institution, number=done.number)


def discard(request: HttpRequest, institution: str, token: str) -> HttpResponse:
    """Throw an upload away."""
    uploads.discard(get_object_or_404(Upload, token=token, institution=institution))
    return redirect("institution", institution=institution)


def receipt(request: HttpRequest, institution: str, number: int) -> HttpResponse:
    """The receipt of a submission."""
    found = get_object_or_404(Submission, number=number, institution=institution, placed=True)
    return render(request, "institution/receipt.html", {"institution": institution, "receipt": found})


def delivery(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """A delivery: its state, files, numbers of findings, workbook, signature of its quarter."""
    landed, signed = _landed(institution, delivery)
    table = _table(institution, delivery)
    known = _answers(institution, delivery)
    counts = {kind: table.count(kind, list(known)) for kind in KINDS} if table else {}
    content = {
        "institution": institution,
        "delivery": delivery,
        "landed": landed,
        "period": landed.period,
        "counts": counts,
        "table": table,
        "signed": signed,
        "t": texts(language_of(request)),
        "submission": Submission.objects.filter(institution=institution, delivery=delivery, placed=True).first(),
        "may_sign": Role.HEAD in request.user.roles,
    }
    return render(request, "institution/delivery.html", content)


def _landed(institution: str, delivery: str) -> tuple[Delivery, signing.Signed]:
    """A delivery of the ledger, and the signature of its quarter, as they are at one moment."""
    with registry().read() as session:
        own = [one for one in deliveries(session) if one.institution == institution]
        found = next((one for one in own if one.name == delivery), None)
        if found is None:
            raise Http404
        return found, signing.states_of(session, own)[institution, found.period]


def _table(institution: str, delivery: str) -> Findings | None:
    if DeliveryName.parse(delivery) is None:
        raise Http404
    return findings.opened(workplace().home.feedback / institution / delivery / "findings.json")


def _answers(institution: str, delivery: str) -> dict[str, Answer]:
    """Finding -> its newest answer, for answers of this delivery's period or later ones."""
    found = answers.current(registry(), institution)
    return {finding: one for finding, one in found.items() if one.delivery >= delivery[:7]}


def finding_list(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """The findings of a delivery, filtered; htmx asks for the list alone.

    What is searched for, and units as they were delivered, come in the body of a form: no address holds delivered text.
    """
    table = _table(institution, delivery)
    if table is None:
        raise Http404
    _note_reading(request, institution, delivery)
    content = {"institution": institution, "delivery": delivery, **_list(request, table, _answers(institution, delivery))}
    request.shown_at = reverse("findings", kwargs={"institution": institution, "delivery": delivery})
    if not request.headers.get("HX-Request"):
        return render(request, "institution/findings.html", content)
    response = render(request, "institution/_findings.html", content)
    response.headers["HX-Push-Url"] = f"{request.shown_at}?{content['query']}"
    return response


def _note_reading(request: HttpRequest, institution: str, delivery: str) -> None:
    """Findings show delivered values: once a session and delivery it is recorded who looked."""
    place = f"{institution} {delivery}"
    if place not in request.session.get("read", []):
        note(request, "read findings", place, "findings of the own institution")
        request.session["read"] = [*request.session.get("read", []), place]


def _filter(values: Mapping[str, str]) -> Filter:
    page = values.get("page", "1")
    kind = values.get("kind", "waiting")
    unit, severity, rule, text = (values.get(name, "")[:200] for name in ("unit", "severity", "rule", "text"))
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    return Filter(kind if kind in KINDS else "waiting", unit, severity, rule, text, number)


def _list(request: HttpRequest, table: Findings, known: Mapping[str, Any]) -> dict[str, Any]:
    """What the list of findings shows."""
    language = language_of(request)
    wanted = _filter(request.POST if request.method == "POST" else request.GET)
    page = table.listed(wanted, list(known))
    query = {name: getattr(wanted, name) for name in ("kind", "severity", "rule") if getattr(wanted, name)}
    return {
        "wanted": wanted,
        "page": page,
        "rows": [_shown(row, known, language) for row in page.rows],
        "choices": table.choices,
        "kinds": KINDS,
        "query": urlencode(query),
        "rule_texts": {code: rules()[code].text[language] for code, _ in table.choices["rule"]},
        "t": texts(language),
    }


def _shown(row: Mapping[str, Any], known: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A finding with its texts; delivered text with invisible characters made visible."""
    rule = rules()[row["rule"]]
    titles = indicators()
    figures = [
        (titles[one["indicator"]].title[language], one["period"]) for one in json.loads(row["figures"]) if one["indicator"] in titles
    ]
    cells = {
        name: visible(str(row[name]))
        for name in ("value", "detail", "unit", "number", "record_key", "file", "part", "field")
        if row[name] is not None
    }
    place = f"{row['line']}" if row["cell"] is None and row["line"] is not None else row["cell"]
    return {
        "finding": row["finding"],
        "n": row["n"],
        "severity": row["severity"],
        "kind": row["kind"],
        "life": row["life"],
        "since": row["since"],
        "rule": row["rule"],
        "text": rule.text[language],
        "action": rule.action[language],
        "cells": cells,
        "place": place,
        "figures": figures,
        "answer": known.get(row["finding"]),
        "told": row["answer"],
        "asks": row["kind"] in ("to_do", "accepted"),
    }


def answer(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """Answer one finding, those that were marked, or all that the filter shows. The page says at once what was refused, and why."""
    table = _table(institution, delivery)
    if table is None:
        raise Http404
    known, language = _answers(institution, delivery), language_of(request)
    verdict, reason = request.POST.get("verdict", ""), " ".join(request.POST.get("reason", "").split())
    if request.POST.get("all") == "1":
        chosen = table.names(_filter(request.POST), list(known))[:_BULK]
        seen = {finding: int(known[finding].id) if finding in known else 0 for finding in chosen}
    else:
        pairs = (text.partition(":") for text in request.POST.getlist("finding")[:_BULK])
        seen = {finding: int(number) if number.isdecimal() else 0 for finding, _, number in pairs}
    told = words(language)
    if not seen:
        tell(request, "error", told["answer_none"])
    elif verdict not in answers.VERDICTS:
        tell(request, "error", told["answer_choose"])
    else:
        filled = intake.given(institution, delivery, dict.fromkeys(seen, verdict), reason, request.user.get_username())
        done = exchange.enter(workplace().home, registry(), filled, seen)
        if done.entered:
            tell(request, "good", f"{told['answers_entered']}: {done.entered}")
        if done.known:
            tell(request, "good", f"{told['answers_known']}: {done.known}")
        _tell_refused(request, done.refused, language)
        if done.entered and verdict == "accepted":
            notices.waiting(Role.COORDINATOR)
    if request.POST.get("text") or request.POST.get("unit"):
        return finding_list(request, institution, delivery)
    return redirect(
        f"{reverse('findings', kwargs={'institution': institution, 'delivery': delivery})}?{request.POST.get('query', '')[:600]}"
    )


def _tell_refused(request: HttpRequest, refused: pd.DataFrame, language: str) -> None:
    """Each kind of refusal once, with the number of rows."""
    counted = Counter(zip(refused["problem"], refused["about"], strict=True))
    for (problem, about), number in counted.most_common(10):
        tell(request, "error", f"{words(language)['answers_refused']} ({number}): {intake.refusal(problem, about, language)}")


def workbook(request: HttpRequest, institution: str, delivery: str) -> FileResponse:
    """The workbook to answer, going out."""
    path = workplace().home.feedback / institution / delivery / "findings.xlsx"
    if DeliveryName.parse(delivery) is None or not path.is_file():
        raise Http404
    note(request, "download the workbook", f"{institution} {delivery}", "findings of the own institution")
    return FileResponse(path.open("rb"), as_attachment=True, filename=f"findings-{institution}-{delivery}.xlsx")


def answered_workbook(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """The workbook coming back: what was entered, and every refused row in the clerk's language."""
    language, told = language_of(request), words(language_of(request))
    sent = request.FILES.get("workbook")
    content: dict[str, Any] = {"institution": institution, "delivery": delivery, "problem": None, "done": None, "refused": []}
    if sent is None or (sent.size or 0) > _WORKBOOK:
        content["problem"] = told["workbook_problems"]["none" if sent is None else "large"]
    else:
        with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
            suffix = ".ods" if (sent.name or "").lower().endswith(".ods") else ".xlsx"
            path = Path(folder) / f"workbook{suffix}"
            with path.open("wb") as out:
                for chunk in sent.chunks():
                    out.write(chunk)
            try:
                with _IMPORTING:
                    done = exchange.import_answers(workplace().home, registry(), path, institution)
            except exchange.ForeignWorkbookError:
                content["problem"] = told["workbook_problems"]["foreign"]
            except HarmoniaError as error:
                formulas = "contains formulas" in str(error)
                content["problem"] = told["workbook_problems"]["formulas" if formulas else "unreadable"]
            else:
                content["done"] = done
                rows = done.refused.to_dict("records")
                content["refused"] = [{**row, "why": intake.refusal(row["problem"], row["about"], language)} for row in rows]
                if done.delivery != delivery:
                    tell(request, "warning", f"{told['workbook_of']}: {done.delivery}")
                note(request, "import a workbook", f"{institution} {done.delivery}: {done.entered} answers")
    return render(request, "institution/workbook.html", content, status=422 if content["problem"] else 200)


def sign(request: HttpRequest, institution: str, period: str) -> HttpResponse:
    """The head signs a quarter as the page showed it."""
    try:
        signing.sign(registry(), institution, period, request.user.get_username(), request.POST.get("seen", ""))
    except HarmoniaError:
        tell(request, "error", words(language_of(request))["sign_changed"])
    else:
        tell(request, "good", words(language_of(request))["sign_done"])
        note(request, "sign a quarter", f"{institution} {period}")
        notices.waiting(Role.COORDINATOR)
    delivery = request.POST.get("delivery", "")
    if DeliveryName.parse(delivery) is None:
        return redirect("institution", institution=institution)
    return redirect("delivery", institution=institution, delivery=delivery)
