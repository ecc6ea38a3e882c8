"""The pages of an institution. The work itself is done in `uploads`, `findings`, `board`, `harmonia.feedback` and `harmonia.signing`.

The path of every page names the institution. The route of the page has already checked that this is the institution of the account.
"""

from __future__ import annotations

import io
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
from harmonia.feedback.texts import load_feedback_texts, make_visible
from harmonia.registry.ledger import read_deliveries
from harmonia.registry.tables import Answer, Delivery
from pipelines.failures import is_disk_full
from portal.institution import board, findings, notices, uploads
from portal.institution.checking import find_earlier_periods
from portal.institution.findings import KINDS, Filter, Findings
from portal.institution.models import Submission, Upload
from portal.permissions import Role
from portal.services import record_action, registry, workplace
from portal.templating import add_notice, language_of
from portal.words import portal_texts
from schemas.findings import rules
from sources import contract
from sources.contract import DeliveryName
from warehouse.indicators import indicators
from warehouse.indicators.catalogue import catalogue

_WORKBOOKS = threading.Lock()  # one workbook is made or read at a time
_MAX_WORKBOOK_BYTES = 50 << 20  # bytes of an answered workbook
_MAX_ANSWERS = 5_000  # findings answered at once


def institution(request: HttpRequest, institution: str) -> HttpResponse:
    """Show the board of quarters."""
    uploads.finish_interrupted_submissions()
    open_uploads = Upload.objects.filter(institution=institution).order_by("-at")
    content = {"institution": institution, "quarters": board.list_quarters(institution), "steps": board.STEPS, "uploads": open_uploads}
    return render(request, "institution/board.html", content)


def new_upload(request: HttpRequest, institution: str) -> HttpResponse:
    """Show the page to upload a delivery, or receive its files. The answer is JSON if a script sent the files, and a page if a form did."""
    chosen = request.POST.get("period") or request.GET.get("period") or ""
    possible = board.list_periods_to_deliver(institution)
    content = {"institution": institution, "periods": possible, "chosen": chosen, "problem": None, "most": settings.UPLOAD_BYTES >> 20}
    if request.method == "POST":
        scripted = request.headers.get("X-Requested-With") == "XMLHttpRequest"
        try:
            if chosen not in possible:
                raise uploads.UploadRefusedError("no_period")
            received = uploads.receive_files(request.user, institution, chosen, request.FILES.getlist("files"))
        except (uploads.UploadRefusedError, HarmoniaError) as error:
            line = _describe_refusal(request, error)
            if scripted:
                return JsonResponse({"problem": line}, status=422)
            return render(request, "institution/new.html", {**content, "problem": line}, status=422)
        address = reverse("upload", kwargs={"institution": institution, "token": received.token})
        return JsonResponse({"next": address}) if scripted else redirect(address)
    return render(request, "institution/new.html", content)


def _describe_refusal(request: HttpRequest, error: Exception) -> str:
    """Return the line that says why an upload was refused, in the language of the request."""
    problem_texts = portal_texts(language_of(request))["upload_problems"]
    if isinstance(error, uploads.UploadRefusedError):
        return str(problem_texts[error.problem]).format(about=error.about)
    return str(problem_texts["disk_full" if is_disk_full(error) else "storage"])


def upload(request: HttpRequest, institution: str, token: str) -> HttpResponse:
    """Show an upload: its check, the figures that its records give, and its findings. While the check runs, htmx asks for a part of the
    page only."""
    pending_upload = get_object_or_404(Upload, token=token, institution=institution)
    check = uploads.check_upload(pending_upload)
    content: dict[str, Any] = {
        "institution": institution,
        "upload": pending_upload,
        "check": check,
        "periods": (pending_upload.period, *find_earlier_periods(pending_upload.period)),
    }
    if check.state == "done":
        table = findings.open_findings(check.findings)
        content |= _make_warnings(pending_upload, check) | (_make_list_content(request, table, {}, pending_upload.period) if table else {})
    template = "institution/_running.html" if request.headers.get("HX-Request") and check.state == "running" else "institution/upload.html"
    response = render(request, template, content)
    if request.headers.get("HX-Request") and check.state != "running":
        response = HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return response


def _make_warnings(upload: Upload, check: uploads.Check) -> dict[str, Any]:
    """Return the warnings that the page shows above the figures: files of another institution, files of another quarter, and a delivery
    that has the same files."""
    files = check.result["files"]
    by_period: dict[str, int] = check.result["periods"]
    fullest_period = max(by_period, key=lambda period: by_period[period], default=upload.period)
    other_period = fullest_period if by_period.get(upload.period, 0) < by_period.get(fullest_period, 0) else None
    foreign = [one["file"] for one in files if one["state"] == "foreign"]
    return {
        "foreign": foreign,
        "other_quarter": other_period,
        "same": uploads.find_identical_delivery(upload),
        "costly": check.result["counts"]["reject"] + check.result["counts"]["error"],
        "nothing": not any(one["accepted"] for one in files),
    }


def submit(request: HttpRequest, institution: str, token: str) -> HttpResponse:
    """Submit an upload and show its receipt; a second click shows the same receipt."""
    submission = Submission.objects.filter(token=token, institution=institution, placed=True).first()
    if submission is None:
        pending_upload = get_object_or_404(Upload, token=token, institution=institution)
        try:
            submission = uploads.submit_upload(pending_upload, request.user)
        except (uploads.UploadRefusedError, HarmoniaError) as error:
            add_notice(request, "error", _describe_refusal(request, error))
            return redirect("institution", institution=institution)
        record_action(request, "submit a delivery", f"{institution} {submission.delivery}: {submission.hash}")
    return redirect("receipt", institution=institution, number=submission.number)


def discard(request: HttpRequest, institution: str, token: str) -> HttpResponse:
    """Discard an upload."""
    uploads.remove_upload(get_object_or_404(Upload, token=token, institution=institution))
    return redirect("institution", institution=institution)


def receipt(request: HttpRequest, institution: str, number: int) -> HttpResponse:
    """Show the receipt of a submission."""
    submission = get_object_or_404(Submission, number=number, institution=institution, placed=True)
    return render(request, "institution/receipt.html", {"institution": institution, "receipt": submission})


def delivery(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """Show a delivery: its state, its files, the numbers of its findings, its workbook, and the signature of its quarter."""
    landed, signed = _read_delivery_and_signature(institution, delivery)
    table = _open_findings(institution, delivery)
    answered = _find_answered_findings(answers.read_current_answers(registry(), institution), delivery)
    counts = {kind: table.count_kind(kind, answered) for kind in KINDS} if table else {}
    content = {
        "institution": institution,
        "delivery": delivery,
        "landed": landed,
        "period": landed.period,
        "counts": counts,
        "table": table,
        "signed": signed,
        "t": load_feedback_texts(language_of(request)),
        "submission": Submission.objects.filter(institution=institution, delivery=delivery, placed=True).first(),
        "may_sign": Role.HEAD in request.user.roles,
        "signed_figures": _list_signed_figures(institution, language_of(request)),
    }
    return render(request, "institution/delivery.html", content)


def _list_signed_figures(institution: str, language: str) -> list[tuple[str, list[str]]]:
    """Return the title of each indicator that counts records of the institution, with the other institutions whose signature it also
    needs."""
    return sorted(
        (
            (one.title[language], [contract.load(name).publisher[language] for name in one.institutions if name != institution])
            for one in catalogue().values()
            if institution in one.institutions and one.published_in
        ),
        key=lambda figure: bool(figure[1]),
    )


def _read_delivery_and_signature(institution: str, delivery: str) -> tuple[Delivery, signing.SignatureState]:
    """Return a delivery of the ledger and the signature of its quarter, read in one transaction."""
    with registry().read() as session:
        of_institution = [one for one in read_deliveries(session) if one.institution == institution]
        row = next((one for one in of_institution if one.name == delivery), None)
        if row is None:
            raise Http404
        return row, signing.determine_signature_states(session, of_institution)[institution, row.period]


def _open_findings(institution: str, delivery: str) -> Findings | None:
    if DeliveryName.parse(delivery) is None:
        raise Http404
    return findings.open_findings(workplace().home.feedback / institution / delivery / "findings.json")


def _is_shown_with_delivery(answer: Answer, delivery: str) -> bool:
    """Return whether an answer is shown with a delivery. It is shown if it was given for the delivery's period or a later one, or if it
    was refused. All other answers are in the report."""
    return answer.delivery >= delivery[:7] or answer.decision == "refused"


def _find_answered_findings(newest: Mapping[str, Answer], delivery: str) -> dict[str, bool]:
    """Return, for each finding with an answer that is shown, whether it is answered. A finding whose answer was refused is not answered."""
    return {finding: one.decision != "refused" for finding, one in newest.items() if _is_shown_with_delivery(one, delivery)}


def finding_list(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """Show the findings of a delivery that the filter selects. If htmx asks, only the list is sent.

    Search texts and delivered units are sent in the body of a form, so that no address contains delivered text.
    """
    return _show_findings(request, institution, delivery)


def _show_findings(request: HttpRequest, institution: str, delivery: str, kept: Mapping[str, Any] | None = None) -> HttpResponse:
    """Show the list of findings. `kept` is an answer that was not entered and is shown again in the form. It has the verdict, the reason,
    the marked findings (`marked`), and whether the page asks for confirmation to answer all findings of the list (`all`)."""
    table = _open_findings(institution, delivery)
    if table is None:
        raise Http404
    _record_access_to_values(request, institution, delivery)
    newest = answers.read_current_answers(registry(), institution)
    content = {"institution": institution, "delivery": delivery, "kept": kept, **_make_list_content(request, table, newest, delivery)}
    request.shown_at = reverse("findings", kwargs={"institution": institution, "delivery": delivery})
    if not request.headers.get("HX-Request"):
        return render(request, "institution/findings.html", content, status=422 if kept and not kept["all"] else 200)
    content["recount"] = request.headers.get("HX-Trigger-Name") == "kind"  # the numbers beside the choices change with the kind
    response = render(request, "institution/_findings.html", content)
    response.headers["HX-Push-Url"] = f"{request.shown_at}?{content['query']}"
    return response


def _record_access_to_values(request: HttpRequest, institution: str, delivery: str) -> None:
    """Record in the audit log who looked at delivered values, once for each session and delivery."""
    delivery_name = f"{institution} {delivery}"
    if delivery_name not in request.session.get("read", []):
        record_action(request, "read findings", delivery_name, "findings of the own institution")
        request.session["read"] = [*request.session.get("read", []), delivery_name]


def _read_number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _read_filter(values: Mapping[str, str]) -> Filter:
    """Return the filter that a form or an address contains. Invalid values are replaced by the usual ones."""
    page = values.get("page", "1")
    kind = values.get("kind", "waiting")
    unit, severity, rule, text = (values.get(name, "")[:200] for name in ("unit", "severity", "rule", "text"))
    number = int(page) if page.isdecimal() and len(page) < 7 else 1
    return Filter(kind if kind in KINDS else "waiting", unit, severity, rule, text, number)


def _make_list_content(request: HttpRequest, table: Findings, newest: Mapping[str, Answer], delivery: str) -> dict[str, Any]:
    """Return what the template of the list of findings shows. `newest` has the newest answer to each finding."""
    language = language_of(request)
    list_filter = _read_filter(request.POST if request.method == "POST" else request.GET)
    answered = _find_answered_findings(newest, delivery)
    page, choices = table.list_page(list_filter, answered), table.count_choices(list_filter.kind, answered)
    query = {name: getattr(list_filter, name) for name in ("kind", "severity", "rule") if getattr(list_filter, name)}
    return {
        "wanted": list_filter,
        "page": page,
        "rows": [_make_finding_content(row, newest.get(row["finding"]), delivery, language) for row in page.rows],
        "choices": choices,
        "answers_to": max((int(one.id) for one in newest.values()), default=0),
        "kinds": KINDS,
        "query": urlencode(query),
        "rule_texts": {code: rules()[code].text[language] for code in (*dict(choices["rule"]), list_filter.rule) if code in rules()},
        "t": load_feedback_texts(language),
    }


def _make_finding_content(row: Mapping[str, Any], newest: Answer | None, delivery: str, language: str) -> dict[str, Any]:
    """Return a finding with its texts. Invisible characters of delivered text are made visible. `newest` is the newest answer to the
    finding."""
    rule, shown_answer = rules()[row["rule"]], newest if newest is not None and _is_shown_with_delivery(newest, delivery) else None
    titles = indicators()
    figures = [
        (titles[figure["indicator"]].title[language], figure["period"])
        for figure in json.loads(row["figures"])
        if figure["indicator"] in titles
    ]
    cells = {
        name: make_visible(str(row[name]))
        for name in ("value", "detail", "unit", "number", "record_key", "file", "part", "field")
        if row[name] is not None
    }
    if row["rule"] == "file-foreign" and row["detail"] in contract.institutions():
        cells["detail"] = contract.load(row["detail"]).publisher[language]
    position = f"{row['line']}" if row["cell"] is None and row["line"] is not None else row["cell"]
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
        "place": position,
        "figures": figures,
        "newest": newest.id if newest is not None else 0,
        "answer": shown_answer,
        "answered_as": _find_answer_state(row, shown_answer),
        "asks": row["kind"] in ("to_do", "accepted"),
    }


def _find_answer_state(row: Mapping[str, Any], answer: Answer | None) -> str | None:
    """Return the state of the answer to a finding, which is a verdict, `refused` or `countersigned`. The result is None if there is no
    answer. It is also None if the answer closed the finding, since the state of the finding then shows this."""
    if answer is None or answer.decision is None:
        verdict: str | None = row["answer"] if answer is None else answer.verdict
        return None if verdict == "accepted" and row["life"] == "accepted_as_is" else verdict
    return None if answer.decision == "countersigned" and row["life"] == "accepted_as_is" else answer.decision


def answer(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """Answer one finding, the marked findings, or all findings that the filter selects. Before all are answered, the page asks for
    confirmation. It then says which answers were refused, and why; refused answers stay in the form."""
    table = _open_findings(institution, delivery)
    if table is None:
        raise Http404
    newest, language = answers.read_current_answers(registry(), institution), language_of(request)
    verdict, reason = request.POST.get("verdict", ""), " ".join(request.POST.get("reason", "").split())
    every = request.POST.get("all", "")
    if every:
        chosen = table.list_names(_read_filter(request.POST), _find_answered_findings(newest, delivery))[:_MAX_ANSWERS]
        seen = exchange.list_seen_answer_numbers(newest, _read_number(request.POST.get("answers_to", "")))
        seen = {finding: seen.get(finding, 0) for finding in chosen}
    else:
        pairs = (text.partition(":") for text in request.POST.getlist("finding")[:_MAX_ANSWERS])
        seen = {finding: int(number) if number.isdecimal() else 0 for finding, _, number in pairs}
    page_texts = portal_texts(language)
    kept = {"verdict": verdict, "reason": reason, "marked": set() if every else set(seen), "all": False}
    if not seen:
        add_notice(request, "error", page_texts["answer_none"])
    elif verdict not in answers.VERDICTS:
        add_notice(request, "error", page_texts["answer_choose"])
    elif every == "ask":
        return _show_findings(request, institution, delivery, {**kept, "all": True})
    else:
        filled = intake.convert_answers_to_workbook(
            institution, delivery, dict.fromkeys(seen, verdict), reason, request.user.get_username()
        )
        entry = exchange.enter_filled_answers(workplace().home, registry(), filled, seen)
        if entry.entered:
            add_notice(request, "good", f"{page_texts['answers_entered']}: {entry.entered}")
        if entry.known:
            add_notice(request, "good", f"{page_texts['answers_known']}: {entry.known}")
        _show_refusals(request, entry.refused, language)
        if entry.entered and verdict == "accepted":
            notices.send_notices(Role.COORDINATOR)
        kept["marked"] = set() if every else set(entry.refused["finding"])
        if entry.refused.empty:
            kept = {}
    if kept or request.POST.get("text") or request.POST.get("unit"):
        return _show_findings(request, institution, delivery, kept or None)
    return redirect(
        f"{reverse('findings', kwargs={'institution': institution, 'delivery': delivery})}?{request.POST.get('query', '')[:600]}"
    )


def _show_refusals(request: HttpRequest, refused: pd.DataFrame, language: str) -> None:
    """Show each kind of refusal once, with the number of its rows."""
    counted = Counter(zip(refused["problem"], refused["about"], strict=True))
    for (problem, about), number in counted.most_common(10):
        add_notice(
            request, "error", f"{portal_texts(language)['answers_refused']} ({number}): {intake.explain_refusal(problem, about, language)}"
        )


def download_workbook(request: HttpRequest, institution: str, delivery: str) -> FileResponse:
    """Send the workbook in which findings are answered. It is in the language of the page and contains the answers given so far."""
    if DeliveryName.parse(delivery) is None:
        raise Http404
    with _WORKBOOKS:
        content = exchange.make_workbook(workplace().home, registry(), institution, delivery, language_of(request))
    if content is None:
        raise Http404
    record_action(request, "download the workbook", f"{institution} {delivery}", "findings of the own institution")
    return FileResponse(io.BytesIO(content), as_attachment=True, filename=f"findings-{institution}-{delivery}.xlsx")


def import_answered_workbook(request: HttpRequest, institution: str, delivery: str) -> HttpResponse:
    """Import an answered workbook. Show which answers were entered, and every refused row, in the language of the page."""
    language, page_texts = language_of(request), portal_texts(language_of(request))
    workbook_file = request.FILES.get("workbook")
    content: dict[str, Any] = {"institution": institution, "delivery": delivery, "problem": None, "done": None, "refused": []}
    if workbook_file is None or (workbook_file.size or 0) > _MAX_WORKBOOK_BYTES:
        content["problem"] = page_texts["workbook_problems"]["none" if workbook_file is None else "large"]
    else:
        with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
            suffix = ".ods" if (workbook_file.name or "").lower().endswith(".ods") else ".xlsx"
            path = Path(folder) / f"workbook{suffix}"
            with path.open("wb") as out:
                for chunk in workbook_file.chunks():
                    out.write(chunk)
            try:
                with _WORKBOOKS:
                    imported = exchange.import_answers(workplace().home, registry(), path, institution)
            except exchange.ForeignWorkbookError:
                content["problem"] = page_texts["workbook_problems"]["foreign"]
            except HarmoniaError as error:
                formulas = "contains formulas" in str(error)
                content["problem"] = page_texts["workbook_problems"]["formulas" if formulas else "unreadable"]
            else:
                content["done"] = imported
                rows = imported.refused.to_dict("records")
                content["refused"] = [{**row, "why": intake.explain_refusal(row["problem"], row["about"], language)} for row in rows]
                if imported.delivery != delivery:
                    add_notice(request, "warning", f"{page_texts['workbook_of']}: {imported.delivery}")
                record_action(request, "import a workbook", f"{institution} {imported.delivery}: {imported.entered} answers")
    return render(request, "institution/workbook.html", content, status=422 if content["problem"] else 200)


def sign(request: HttpRequest, institution: str, period: str) -> HttpResponse:
    """Sign a quarter in the state that the page showed. Only the head of the institution may do so."""
    try:
        signing.sign_quarter(registry(), institution, period, request.user.get_username(), request.POST.get("seen", ""))
    except HarmoniaError:
        add_notice(request, "error", portal_texts(language_of(request))["sign_changed"])
    else:
        add_notice(request, "good", portal_texts(language_of(request))["sign_done"])
        record_action(request, "sign a quarter", f"{institution} {period}")
        notices.send_notices(Role.COORDINATOR)
    delivery = request.POST.get("delivery", "")
    if DeliveryName.parse(delivery) is None:
        return redirect("institution", institution=institution)
    return redirect("delivery", institution=institution, delivery=delivery)
