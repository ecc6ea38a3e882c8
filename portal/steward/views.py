"""The steward's pages: queue, pair, verdict, names, search, blind samples.

Belongs here: what a request asks for and which page answers it. Does not belong here: what a verdict is or changes (`harmonia.review`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from harmonia.errors import HarmoniaError
from harmonia.review import deciding, estimating, exchange, sampling
from harmonia.review.consequence import CELL, VerdictEffect
from harmonia.review.describe import list_shown_fields
from harmonia.review.desk import MAX_FOUND, ReviewDesk
from harmonia.review.judgements import VERDICTS, combine_judgements, normalise_steward_or_reason, read_judgements
from harmonia.review.pairs import PAIR, compute_pair_ids, make_pair
from pipelines.linkage.constraints import are_judgements_contradicted
from portal.services import record_action, registry
from portal.steward import charts, evidence
from portal.steward.desk import current_desk
from portal.steward.fields import Labels, compare_fields, label_value, load_code_labels
from portal.steward.turn import wait_for_turn
from portal.steward.value_differences import ComparedField
from portal.templating import add_notice, language_of
from portal.words import portal_texts
from warehouse.indicators.catalogue import catalogue

GROUPS_SHOWN = 40
_SAMPLE_SIZES = (1, 100_000)
_MAX_FIRST_FIGURES = 5  # figures shown at once where no yearly total changes
_MAX_KEPT = 200  # pairs whose names a session shows, verdicts that it can undo


def _load_steward_texts(request: HttpRequest) -> Mapping[str, Any]:
    texts: Mapping[str, Any] = portal_texts(language_of(request))["steward"]
    return texts


def queue(request: HttpRequest) -> HttpResponse:
    """Show the pairs that wait for this steward, in groups. The groups that change most figures come first."""
    waiting = current_desk().list_queue(_find_steward_name(request))
    groups = [part.to_dict("records") for _, part in waiting[waiting["group"] < GROUPS_SHOWN].groupby("group")]
    many = int(waiting["group"].max()) + 1 if len(waiting) else 0
    content = {"groups": groups, "pairs": len(waiting), "many": many, "more": max(many - GROUPS_SHOWN, 0)}
    return render(request, "steward/queue.html", {"s": _load_steward_texts(request), **content})


def pair(request: HttpRequest, pair: str) -> HttpResponse:
    """Show a pair of the queue or of a search."""
    return _show_pair_page(request, pair)


def _show_pair_page(request: HttpRequest, pair: str, number: int | None = None) -> HttpResponse:
    """Show two records side by side with the evidence. `number` is the number of the blind sample to which the pair belongs, if any. The
    page of a pair in a blind sample hides weight, decision and judgements."""
    desk = current_desk()
    pair_row = _find_pair(desk, pair)
    name, entity, texts = str(compute_pair_ids(pair_row).iloc[0]), str(pair_row["entity"].iloc[0]), _load_steward_texts(request)
    reason = request.session.get("revealed", {}).get(name)
    names = reason is not None
    if names:
        record_action(request, "looked at names for review", name, reason)
    language = language_of(request)
    labels, history = load_code_labels(language), desk.list_judgements(pair_row).to_dict("records")
    members = desk.list_records_of_clusters(pair_row)
    content: dict[str, Any] = {
        "s": texts,
        "pair": name if number is not None or not _names_two_records(pair) else pair,
        "name": name,
        "entity": entity,
        "records": _make_record_labels(pair_row),
        "fields": _compare_fields_of_pair(desk, pair_row, names, labels, language),
        "names": names,
        "names_reason": request.session.get("names_reason", ""),
        "why": request.session.get("drafts", {}).get(name) or texts["why_default"],
        "seen": desk.hash_shown_content(pair_row),
        "verdicts": VERDICTS[:3],
        "second": deciding.needs_second_steward(pair_row, "same"),
        "sample": number,
        "undo": bool(request.session.get("decided")),
        "labels": labels,
    }
    file_members = members
    if number is not None:
        file_members = pd.DataFrame([(r["institution"], r["key"], "") for r in content["records"]], columns=members.columns)
    content["timeline"] = charts.make_timeline(desk.list_events(file_members, entity), _label_case_files_a_and_b(desk, pair_row))
    if number is None:
        decision = desk.find_decision(pair_row)
        content |= {
            "decision": decision.get("decision", "none"),
            "weight": decision.get("weight"),
            "state": desk.find_state_of_pair(pair_row),
            "history": history,
            "proposed": next((line for line in reversed(history) if line["verdict"] == "proposed"), None),
            "evidence": evidence.explain_pair(desk, pair_row, texts, labels["event"]),
            "apart": evidence.find_reason_against_joining(desk, pair_row, members) if _is_refused_above_zero(decision) else "",
            "graph": charts.make_graph(members, desk.list_decisions_within(members, entity), pair_row),
            **_find_queue_neighbours(desk, request, name),
        }
    else:
        content["progress"] = exchange.count_judged_pairs(registry(), number)
    return render(request, "steward/pair.html", content)


def _is_refused_above_zero(decision: Mapping[str, Any]) -> bool:
    """Return whether linkage did not join the pair although its match weight is above zero."""
    return decision.get("decision") == "refused" and decision["weight"] > 0


def consequence(request: HttpRequest, pair: str) -> HttpResponse:
    """Show, as a part of the page, which clusters and published figures each verdict would give. The part is empty if the steward has gone
    on to another pair."""
    desk, steward = current_desk(), _find_steward_name(request)
    pair_row = _find_pair(desk, pair)
    with wait_for_turn(steward, pair) as has_turn:
        if not has_turn:
            return render(request, "steward/later.html", {"s": _load_steward_texts(request), "pair": pair})
        previews = desk.load_previews()
        by_verdict = {verdict: previews.preview_verdict(pair_row, verdict, steward) for verdict in ("same", "different")}
    language = language_of(request)
    content = {
        "s": _load_steward_texts(request),
        "previews": [
            {"verdict": verdict, "result": result, **_make_consequence_content(result, language)} for verdict, result in by_verdict.items()
        ],
        "labels": load_code_labels(language),
        "pending": desk.count_judged_since_run(),
    }
    return render(request, "steward/consequence.html", content)


def decide(request: HttpRequest, pair: str) -> HttpResponse:
    """Enter a verdict and go to the next pair. If the page is out of date, the verdict is not entered, and the steward's reason stays in
    the form."""
    desk, texts, steward = current_desk(), _load_steward_texts(request), _find_steward_name(request)
    pair_row = _find_pair(desk, pair)
    name, verdict, why = str(compute_pair_ids(pair_row).iloc[0]), request.POST.get("verdict", ""), request.POST.get("why", "")
    number = request.POST.get("sample", "")
    sample = int(number) if number.isdecimal() else None
    if verdict not in VERDICTS[:3]:
        raise Http404
    request.session["drafts"] = {**request.session.get("drafts", {}), name: why[:2000]}
    same_page = _redirect_to_pair(pair if _names_two_records(pair) else name, sample)
    if request.POST.get("seen") != desk.hash_shown_content(pair_row):
        add_notice(request, "warning", texts["stale"])
        return same_page
    following = None if sample is not None else _find_queue_neighbours(desk, request, name)["following"]
    try:
        is_new = deciding.enter_verdict(
            desk.published_run, registry(), pair_row, verdict, steward, why, blind=sample is not None, two_stewards=True
        )
    except HarmoniaError as error:
        add_notice(request, "error", texts["problem"].format(line=error))
        return same_page
    drafts = request.session["drafts"]
    drafts.pop(name, None)
    request.session["drafts"] = drafts
    request.session["decided"] = [*request.session.get("decided", [])[-_MAX_KEPT:], [name, sample]]
    _show_result(request, desk, pair_row, verdict, is_new)
    if sample is not None:
        return _redirect_to_next_pair_of_sample(sample)
    return redirect("steward_pair", pair=following) if following else redirect("steward")


def _show_result(request: HttpRequest, desk: ReviewDesk, pair_row: pd.DataFrame, verdict: str, is_new: bool) -> None:
    """Show what the verdict does, in one line that names the pair."""
    texts, label = _load_steward_texts(request), _make_pair_label(request, pair_row)

    def show(kind: str, text: str) -> None:
        add_notice(request, kind, f"{label}. {text}")

    if not is_new:
        return show("warning", texts["entered_before"])
    state = desk.find_state_of_pair(pair_row)
    if state == "disputed":
        return show("warning", texts["entered_disputed"])
    if state == "proposed" and verdict == "same":
        return show("good", texts["entered_proposed"])
    current = combine_judgements(read_judgements(registry()))
    contradicted = current[are_judgements_contradicted(current)]
    if len(contradicted.merge(pair_row[PAIR], on=PAIR)):
        return show("warning", texts["entered_contradicted"])
    return show("good", texts["entered"].format(verdict=texts["verdicts"][verdict].lower()))


def _make_pair_label(request: HttpRequest, pair_row: pd.DataFrame) -> str:
    return f"{_load_steward_texts(request)['pair']} {str(compute_pair_ids(pair_row).iloc[0]).split('-')[1]}"


def undo(request: HttpRequest) -> HttpResponse:
    """Withdraw the latest verdict of this session and show its pair again."""
    texts, decided = _load_steward_texts(request), request.session.get("decided", [])
    if not decided:
        add_notice(request, "warning", texts["nothing_to_undo"])
        return redirect("steward")
    name, sample = decided[-1]
    request.session["decided"] = decided[:-1]
    pair_row = _find_pair(current_desk(), name)
    verdict = deciding.undo_verdict(registry(), pair_row, _find_steward_name(request), "undone")
    if verdict is None:
        add_notice(request, "warning", texts["nothing_to_undo"])
    else:
        result = texts["undone" if verdict == "withdrawn" else "undone_to_earlier"].format(verdict=texts["states"][verdict])
        add_notice(request, "good", f"{_make_pair_label(request, pair_row)}. {result}")
    return _redirect_to_pair(name, sample)


@sensitive_post_parameters("reason")
def reveal_names(request: HttpRequest, pair: str) -> HttpResponse:
    """Show the names of a pair during this session. Each page that shows them is recorded in the audit log, with the reason."""
    pair_row = _find_pair(current_desk(), pair)
    name, texts = str(compute_pair_ids(pair_row).iloc[0]), _load_steward_texts(request)
    number = request.POST.get("sample", "")
    same_page = _redirect_to_pair(pair if _names_two_records(pair) else name, int(number) if number.isdecimal() else None)
    reason = _read_reason(request)
    if not reason:
        add_notice(request, "error", texts["reason_missing"])
        return same_page
    revealed = {**request.session.get("revealed", {}), name: reason}
    request.session["revealed"] = dict(list(revealed.items())[-_MAX_KEPT:])
    add_notice(request, "good", texts["revealed"])
    return same_page


@sensitive_post_parameters("name", "number")
def search(request: HttpRequest) -> HttpResponse:
    """Search all records. If the search began at a pair (`of`), each result can be compared with either record of that pair."""
    desk, texts = current_desk(), _load_steward_texts(request)
    terms = {name: request.POST.get(name, "").strip()[:100] for name in ("number", "name")}
    of = request.POST.get("of") or request.GET.get("of", "")
    origin = _find_pair(desk, of) if of else None
    entity = str(origin["entity"].iloc[0]) if origin is not None else request.POST.get("entity", "person")
    if entity not in ("case", "person"):
        raise Http404
    problem, results = "", None
    if request.method == "POST":
        reason = _read_reason(request)
        if terms["name"] and not reason:
            problem = texts["reason_missing"]
        else:
            if terms["name"]:
                record_action(request, "searched records by name for review", of or "all records", reason)
            results = _make_search_results(
                desk, desk.search_records(entity, **terms), entity, origin, bool(terms["name"]), language_of(request)
            )
    content = {
        "s": texts,
        "given": terms,
        "of": of,
        "entity": entity,
        "origin": None if origin is None else _make_record_labels(origin),
        "results": results,
        "problem": problem,
        "most": MAX_FOUND,
        "names_reason": request.session.get("names_reason", ""),
        "labels": load_code_labels(language_of(request)),
        "columns": list_shown_fields(entity, bool(terms["name"] and results is not None))[:7],
    }
    return render(request, "steward/search.html", content)


def _make_search_results(
    desk: ReviewDesk, keys: pd.DataFrame, entity: str, origin: pd.DataFrame | None, named: bool, language: str
) -> list[dict[str, Any]]:
    rows, labels = desk.describe_all_records(entity, named).reindex(pd.MultiIndex.from_frame(keys)).fillna(""), load_code_labels(language)
    results = []
    for (institution, key), values in zip(keys.itertuples(index=False, name=None), rows.to_dict("records"), strict=True):
        pairs = {}
        for side in "ab" if origin is not None else "":
            assert origin is not None
            origin_record = str(origin[f"institution_{side}"].iloc[0]), str(origin[f"key_{side}"].iloc[0])
            if origin_record != (institution, key):
                pairs[side.upper()] = _format_pair(make_pair(entity, *origin_record, institution, key))
        shown = {str(field): label_value(str(field), value, labels, language) for field, value in values.items()}
        own_id = desk.ids[entity].get((institution, key), "")
        results.append({"institution": institution, "key": key, "id": own_id, "values": shown, "pairs": pairs})
    return results


def samples(request: HttpRequest) -> HttpResponse:
    """Show the blind samples with their progress, or draw another."""
    desk, texts = current_desk(), _load_steward_texts(request)
    if request.method == "POST":
        size, seed = request.POST.get("size", ""), request.POST.get("seed", "1")
        if not size.isdecimal() or not _SAMPLE_SIZES[0] <= int(size) <= _SAMPLE_SIZES[1] or not seed.isdecimal():
            add_notice(request, "error", texts["size_wrong"])
            return redirect("samples")
        drawn = sampling.draw_sample(desk.published_run, registry(), int(size), int(seed[:9]))
        add_notice(request, "good", texts["drawn"].format(n=drawn.sample))
        return redirect("sample", number=drawn.sample)
    numbers = sampling.read_sampled_pairs(registry())["sample"].unique().tolist()
    listed = [{"number": number, "progress": exchange.count_judged_pairs(registry(), number)} for number in reversed(numbers)]
    return render(request, "steward/samples.html", {"s": texts, "samples": listed})


def sample(request: HttpRequest, number: int) -> HttpResponse:
    """Show precision and recall, estimated from the judgements of a sample so far."""
    _require_sample(number)
    judged, drawn = exchange.count_judged_pairs(registry(), number)
    rows = estimating.estimate_accuracy(sampling.count_labels(registry(), number)).to_dict("records") if judged else []
    for row in rows:
        row.update({name: None if math.isnan(row[name]) else 100 * row[name] for name in ("estimate", "low", "high")})
    waiting = exchange.list_pairs_of_sample(registry(), number, everything=False)
    following = str(compute_pair_ids(waiting.head(1)).iloc[0]) if len(waiting) else None
    content = {"number": number, "judged": judged, "drawn": drawn, "rows": rows, "following": following}
    return render(request, "steward/sample.html", {"s": _load_steward_texts(request), **content})


def sample_pair(request: HttpRequest, number: int, pair: str) -> HttpResponse:
    """Show a pair of a blind sample."""
    _require_sample(number)
    drawn = sampling.read_sampled_pairs(registry())
    if pair not in set(compute_pair_ids(drawn[drawn["sample"] == number])):
        raise Http404
    return _show_pair_page(request, pair, number)


def _require_sample(number: int) -> None:
    """Raise `Http404` if there is no blind sample with this number."""
    try:
        sampling.find_sample_number(registry(), number)
    except HarmoniaError:
        raise Http404 from None


def _redirect_to_next_pair_of_sample(number: int) -> HttpResponse:
    waiting = exchange.list_pairs_of_sample(registry(), number, everything=False)
    if waiting.empty:
        return redirect("sample", number=number)
    return redirect("sample_pair", number=number, pair=str(compute_pair_ids(waiting.head(1)).iloc[0]))


def _find_steward_name(request: HttpRequest) -> str:
    return str(request.user.get_username())


def _read_reason(request: HttpRequest) -> str:
    """Return the reason in the request, and keep it for the rest of the session. The result is empty if there is no valid reason."""
    try:
        reason = normalise_steward_or_reason("why", request.POST.get("reason", ""))
    except HarmoniaError:
        return ""
    request.session["names_reason"] = reason[:200]
    return reason[:200]


def _find_pair(desk: ReviewDesk, text: str) -> pd.DataFrame:
    """Return the pair that the page shows. Raises `Http404` if there is no such pair, or if one of its records is no longer delivered."""
    try:
        return desk.find_pair(text)
    except HarmoniaError:
        raise Http404 from None


def _names_two_records(text: str) -> bool:
    """Return whether a pair is named by its two records. Such a pair was never compared by linkage, and has no other name."""
    return ":" in text


def _format_pair(pair: pd.DataFrame) -> str:
    """Return a pair as text, named by its two records."""
    row = pair.iloc[0]
    return f"{row['entity']}:{row['institution_a']}:{row['key_a']}~{row['institution_b']}:{row['key_b']}"


def _redirect_to_pair(text: str, sample: int | None) -> HttpResponse:
    return redirect("steward_pair", pair=text) if sample is None else redirect("sample_pair", number=sample, pair=text)


def _make_record_labels(pair: pd.DataFrame) -> list[dict[str, str]]:
    return [{"label": s.upper(), "institution": str(pair[f"institution_{s}"].iloc[0]), "key": str(pair[f"key_{s}"].iloc[0])} for s in "ab"]


def _compare_fields_of_pair(desk: ReviewDesk, pair: pd.DataFrame, names: bool, labels: Labels, language: str) -> list[ComparedField]:
    """Return every field that one of the records has, with differing letters marked."""
    keys = pd.MultiIndex.from_tuples([(r["institution"], r["key"]) for r in _make_record_labels(pair)])
    entity = str(pair["entity"].iloc[0])
    return compare_fields(desk.describe_all_records(entity, names).reindex(keys).fillna(""), entity, names, labels, language)


def _label_case_files_a_and_b(desk: ReviewDesk, pair: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return the case files to which the two records of the pair belong, each with its mark `a` or `b`."""
    entity, marks = str(pair["entity"].iloc[0]), {}
    for record in _make_record_labels(pair):
        key = record["key"]
        if entity == "person":
            persons = desk.canonical["person_records"]
            case_keys = persons[(persons["institution"] == record["institution"]) & (persons["record_key"] == key)]["case_key"].dropna()
            key = str(case_keys.iloc[-1]) if len(case_keys) else key
        marks[record["institution"], key] = record["label"].lower()
    return marks


def _find_queue_neighbours(desk: ReviewDesk, request: HttpRequest, name: str) -> dict[str, Any]:
    """Return the pairs before and after this one in the queue. After the last pair, and after a pair that is not in the queue, follows the
    first pair of the queue."""
    waiting = desk.list_queue(_find_steward_name(request))["pair"].tolist()
    position = waiting.index(name) if name in waiting else -1
    following = waiting[(position + 1) % len(waiting)] if waiting else None
    if following == name:
        following = None
    return {
        "previous": waiting[position - 1] if position > 0 else None,
        "following": following,
        "place": position + 1,
        "waiting": len(waiting),
    }


def _make_consequence_content(result: VerdictEffect, language: str) -> dict[str, Any]:
    """Return the clusters after a verdict, by id, and the changed figures with their labels, totals first."""
    records = result.records
    changed = bool((records["before"] != records["after"]).any())
    clusters = [
        {"entity": entity, "id": name, "new": name not in set(records["before"]), "records": part.to_dict("records")}
        for (entity, name), part in records.groupby(["entity", "after"], sort=False)
    ]
    dimensions = [name for name in CELL if name not in ("indicator", "period")]
    ordered = result.figures.assign(parts=(result.figures[dimensions] != "total").sum(axis=1))
    ordered = ordered.sort_values(["parts", "indicator", "period"], kind="stable")
    figures = [{str(column): value for column, value in row.items()} for row in ordered.to_dict("records")]
    labels = load_code_labels(language)
    for row in figures:
        row["title"] = catalogue()[row["indicator"]].title[language]
        row["cell"] = [labels[name].get(row[name], row[name]) for name in dimensions if row[name] != "total"]
    first_figures = [row for row in figures if row["parts"] == 0 and len(row["period"]) == len("2013")] or figures[:_MAX_FIRST_FIGURES]
    return {
        "changed": changed,
        "clusters": clusters,
        "figures": figures,
        "main": first_figures,
        "rest": [row for row in figures if row not in first_figures],
    }
