"""The steward's pages: queue, pair, verdict, names, search, blind samples.

Belongs here: what a request asks for and which page answers. Does not belong here: what a verdict is or changes (`harmonia.review`).
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
from harmonia.review.consequence import CELL, Consequence
from harmonia.review.describe import fields_of
from harmonia.review.desk import MOST_FOUND, Desk
from harmonia.review.judgements import VERDICTS, combine_judgements, normalise_text, read_judgements
from harmonia.review.pairs import PAIR, one_pair, pair_ids
from pipelines.linkage.constraints import clashes
from portal.services import note, registry
from portal.steward import charts, explaining
from portal.steward.desk import desk
from portal.steward.differing import Compared
from portal.steward.fields import Labels, in_words, labels, side_by_side
from portal.steward.turn import my_turn
from portal.templating import language_of, tell
from portal.words import words
from warehouse.indicators.catalogue import catalogue

GROUPS_SHOWN = 40
_SAMPLE_SIZES = (1, 100_000)
_FIRST = 5  # figures shown at once where no yearly total changes
_KEPT = 200  # pairs whose names a session shows, verdicts that it can undo


def _texts(request: HttpRequest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = words(language_of(request))["steward"]
    return found


def queue(request: HttpRequest) -> HttpResponse:
    """The pairs that wait for this steward, by group, those first that move most figures."""
    waiting = desk().queue(_who(request))
    groups = [part.to_dict("records") for _, part in waiting[waiting["group"] < GROUPS_SHOWN].groupby("group")]
    many = int(waiting["group"].max()) + 1 if len(waiting) else 0
    content = {"groups": groups, "pairs": len(waiting), "many": many, "more": max(many - GROUPS_SHOWN, 0)}
    return render(request, "steward/queue.html", {"s": _texts(request), **content})


def pair(request: HttpRequest, pair: str) -> HttpResponse:
    """A pair of the queue, or of a search."""
    return _pair_page(request, pair)


def _pair_page(request: HttpRequest, pair: str, number: int | None = None) -> HttpResponse:
    """Two records side by side with the evidence; in the blind sample `number` without weight, decision and judgements."""
    at = desk()
    one = _found(at, pair)
    name, entity, s = str(pair_ids(one).iloc[0]), str(one["entity"].iloc[0]), _texts(request)
    names = name in request.session.get("names", [])
    language = language_of(request)
    known, history = labels(language), at.history(one).to_dict("records")
    members = at.members(one)
    content: dict[str, Any] = {
        "s": s,
        "pair": name if number is not None or not _typed(pair) else pair,
        "name": name,
        "entity": entity,
        "records": _records(one),
        "fields": _fields(at, one, names, known, language),
        "names": names,
        "names_reason": request.session.get("names_reason", ""),
        "why": request.session.get("drafts", {}).get(name) or request.session.get("why") or s["why_default"],
        "seen": at.seen(one),
        "verdicts": VERDICTS[:3],
        "second": deciding.needs_second(one, "same"),
        "sample": number,
        "undo": bool(request.session.get("decided")),
        "labels": known,
    }
    own = members
    if number is not None:
        own = pd.DataFrame([(r["institution"], r["key"], "") for r in content["records"]], columns=members.columns)
    content["timeline"] = charts.timeline(at.events(own, entity), _marks(at, one))
    if number is None:
        decision = at.decision(one)
        content |= {
            "decision": decision.get("decision", "none"),
            "weight": decision.get("weight"),
            "state": at.state(one),
            "history": history,
            "proposed": next((line for line in reversed(history) if line["verdict"] == "proposed"), None),
            "evidence": explaining.evidence(at, one, s),
            "graph": charts.graph(members, at.links(members, entity), one),
            **_neighbours(at, request, name),
        }
    else:
        content["progress"] = exchange.count_judged(registry(), number)
    return render(request, "steward/pair.html", content)


def consequence(request: HttpRequest, pair: str) -> HttpResponse:
    """A part of the page: clusters and published figures after each verdict. Whoever went on to another pair meanwhile needs none."""
    at, who = desk(), _who(request)
    one = _found(at, pair)
    with my_turn(who, pair) as mine:
        if not mine:
            return render(request, "steward/later.html", {"s": _texts(request), "pair": pair})
        previews = at.consequences()
        found = {verdict: previews.of(one, verdict, who) for verdict in ("same", "different")}
    language = language_of(request)
    content = {
        "s": _texts(request),
        "previews": [{"verdict": verdict, "result": result, **_shown(result, language)} for verdict, result in found.items()],
        "labels": labels(language),
        "pending": at.since_run(),
    }
    return render(request, "steward/consequence.html", content)


def decide(request: HttpRequest, pair: str) -> HttpResponse:
    """Enter a verdict, then to the next pair. A page that is out of date enters nothing and keeps the reason."""
    at, s, who = desk(), _texts(request), _who(request)
    one = _found(at, pair)
    name, verdict, why = str(pair_ids(one).iloc[0]), request.POST.get("verdict", ""), request.POST.get("why", "")
    number = request.POST.get("sample", "")
    sample = int(number) if number.isdecimal() else None
    if verdict not in VERDICTS[:3]:
        raise Http404
    request.session["drafts"] = {**request.session.get("drafts", {}), name: why[:2000]}
    here = _page(pair if _typed(pair) else name, sample)
    if request.POST.get("seen") != at.seen(one):
        tell(request, "warning", s["stale"])
        return here
    following = None if sample is not None else _neighbours(at, request, name)["following"]
    try:
        fresh = deciding.decide(at.found, registry(), one, verdict, who, why, blind=sample is not None, two_stewards=True)
    except HarmoniaError as error:
        tell(request, "error", s["problem"].format(line=error))
        return here
    drafts = request.session["drafts"]
    drafts.pop(name, None)
    request.session["drafts"], request.session["why"] = drafts, why[:2000]
    request.session["decided"] = [*request.session.get("decided", [])[-_KEPT:], [name, sample]]
    _tell_result(request, at, one, verdict, fresh)
    if sample is not None:
        return _next_of_sample(sample)
    return redirect("steward_pair", pair=following) if following else redirect("steward")


def _tell_result(request: HttpRequest, at: Desk, one: pd.DataFrame, verdict: str, fresh: bool) -> None:
    """One line: what the verdict does."""
    s = _texts(request)
    if not fresh:
        return tell(request, "warning", s["entered_before"])
    state = at.state(one)
    if state == "disputed":
        return tell(request, "warning", s["entered_disputed"])
    if state == "proposed" and verdict == "same":
        return tell(request, "good", s["entered_proposed"])
    current = combine_judgements(read_judgements(registry()))
    lost = current[clashes(current)]
    if len(lost.merge(one[PAIR], on=PAIR)):
        return tell(request, "warning", s["entered_contradicted"])
    return tell(request, "good", s["entered"].format(verdict=s["verdicts"][verdict].lower()))


def undo(request: HttpRequest) -> HttpResponse:
    """Take back the latest verdict of this session and show its pair again."""
    s, decided = _texts(request), request.session.get("decided", [])
    if not decided:
        tell(request, "warning", s["nothing_to_undo"])
        return redirect("steward")
    name, sample = decided[-1]
    request.session["decided"] = decided[:-1]
    one = _found(desk(), name)
    verdict = deciding.undo(registry(), one, _who(request), "undone")
    tell(request, "good" if verdict else "warning", s["undone"].format(verdict=s["states"][verdict]) if verdict else s["nothing_to_undo"])
    return _page(name, sample)


@sensitive_post_parameters("reason")
def names(request: HttpRequest, pair: str) -> HttpResponse:
    """Show the names of a pair in this session, with a reason in the audit log."""
    one = _found(desk(), pair)
    name, s = str(pair_ids(one).iloc[0]), _texts(request)
    number = request.POST.get("sample", "")
    here = _page(pair if _typed(pair) else name, int(number) if number.isdecimal() else None)
    reason = _reason(request)
    if not reason:
        tell(request, "error", s["reason_missing"])
        return here
    note(request, "looked at names for review", name, reason)
    request.session["names"] = [*request.session.get("names", [])[-_KEPT:], name]
    tell(request, "good", s["revealed"])
    return here


@sensitive_post_parameters("name", "number")
def search(request: HttpRequest) -> HttpResponse:
    """Search all records; from a pair (`of`) each result can be compared with either of its records."""
    at, s = desk(), _texts(request)
    given = {name: request.POST.get(name, "").strip()[:100] for name in ("number", "name")}
    of = request.POST.get("of") or request.GET.get("of", "")
    origin = _found(at, of) if of else None
    entity = str(origin["entity"].iloc[0]) if origin is not None else request.POST.get("entity", "person")
    if entity not in ("case", "person"):
        raise Http404
    problem, found = "", None
    if request.method == "POST":
        reason = _reason(request)
        if given["name"] and not reason:
            problem = s["reason_missing"]
        else:
            if given["name"]:
                note(request, "searched records by name for review", of or "all records", reason)
            found = _results(at, at.search(entity, **given), entity, origin, bool(given["name"]), language_of(request))
    content = {
        "s": s,
        "given": given,
        "of": of,
        "entity": entity,
        "origin": None if origin is None else _records(origin),
        "results": found,
        "problem": problem,
        "most": MOST_FOUND,
        "names_reason": request.session.get("names_reason", ""),
        "labels": labels(language_of(request)),
        "columns": fields_of(entity, bool(given["name"] and found is not None))[:7],
    }
    return render(request, "steward/search.html", content)


def _results(at: Desk, found: pd.DataFrame, entity: str, origin: pd.DataFrame | None, named: bool, language: str) -> list[dict[str, Any]]:
    rows, known = at.describe(entity, named).reindex(pd.MultiIndex.from_frame(found)).fillna(""), labels(language)
    out = []
    for (institution, key), values in zip(found.itertuples(index=False, name=None), rows.to_dict("records"), strict=True):
        pairs = {}
        for side in "ab" if origin is not None else "":
            assert origin is not None
            own = str(origin[f"institution_{side}"].iloc[0]), str(origin[f"key_{side}"].iloc[0])
            if own != (institution, key):
                pairs[side.upper()] = _text_of(one_pair(entity, *own, institution, key))
        shown = {str(field): in_words(str(field), value, known, language) for field, value in values.items()}
        own_id = at.ids[entity].get((institution, key), "")
        out.append({"institution": institution, "key": key, "id": own_id, "values": shown, "pairs": pairs})
    return out


def samples(request: HttpRequest) -> HttpResponse:
    """The blind samples with their progress; a form draws another."""
    at, s = desk(), _texts(request)
    if request.method == "POST":
        size, seed = request.POST.get("size", ""), request.POST.get("seed", "1")
        if not size.isdecimal() or not _SAMPLE_SIZES[0] <= int(size) <= _SAMPLE_SIZES[1] or not seed.isdecimal():
            tell(request, "error", s["size_wrong"])
            return redirect("samples")
        drawn = sampling.draw_sample(at.found, registry(), int(size), int(seed[:9]))
        tell(request, "good", s["drawn"].format(n=drawn.sample))
        return redirect("sample", number=drawn.sample)
    numbers = sampling.read_sampled_pairs(registry())["sample"].unique().tolist()
    listed = [{"number": number, "progress": exchange.count_judged(registry(), number)} for number in reversed(numbers)]
    return render(request, "steward/samples.html", {"s": s, "samples": listed})


def sample(request: HttpRequest, number: int) -> HttpResponse:
    """Precision and recall by the judgements of a sample so far."""
    _known_sample(number)
    judged, drawn = exchange.count_judged(registry(), number)
    rows = estimating.estimate(sampling.count_labels(registry(), number)).to_dict("records") if judged else []
    for row in rows:
        row.update({name: None if math.isnan(row[name]) else 100 * row[name] for name in ("estimate", "low", "high")})
    waiting = exchange.pairs_of_sample(registry(), number, everything=False)
    following = str(pair_ids(waiting.head(1)).iloc[0]) if len(waiting) else None
    content = {"number": number, "judged": judged, "drawn": drawn, "rows": rows, "following": following}
    return render(request, "steward/sample.html", {"s": _texts(request), **content})


def sample_pair(request: HttpRequest, number: int, pair: str) -> HttpResponse:
    """A pair of a blind sample."""
    _known_sample(number)
    drawn = sampling.read_sampled_pairs(registry())
    if pair not in set(pair_ids(drawn[drawn["sample"] == number])):
        raise Http404
    return _pair_page(request, pair, number)


def _known_sample(number: int) -> None:
    try:
        sampling.find_sample(registry(), number)
    except HarmoniaError:
        raise Http404 from None


def _next_of_sample(number: int) -> HttpResponse:
    waiting = exchange.pairs_of_sample(registry(), number, everything=False)
    if waiting.empty:
        return redirect("sample", number=number)
    return redirect("sample_pair", number=number, pair=str(pair_ids(waiting.head(1)).iloc[0]))


def _who(request: HttpRequest) -> str:
    return str(request.user.get_username())


def _reason(request: HttpRequest) -> str:
    """The reason that was given, kept for the next look of this session; empty where there is none."""
    try:
        reason = normalise_text("why", request.POST.get("reason", ""))
    except HarmoniaError:
        return ""
    request.session["names_reason"] = reason[:200]
    return reason[:200]


def _found(at: Desk, text: str) -> pd.DataFrame:
    """The pair of a page. Raises `Http404` where it is none, or a record is no longer delivered."""
    try:
        return at.pair(text)
    except HarmoniaError:
        raise Http404 from None


def _typed(text: str) -> bool:
    """Whether a pair is named by its two records: one that linkage never compared has no other name."""
    return ":" in text


def _text_of(pair: pd.DataFrame) -> str:
    row = pair.iloc[0]
    return f"{row['entity']}:{row['institution_a']}:{row['key_a']}~{row['institution_b']}:{row['key_b']}"


def _page(text: str, sample: int | None) -> HttpResponse:
    return redirect("steward_pair", pair=text) if sample is None else redirect("sample_pair", number=sample, pair=text)


def _records(pair: pd.DataFrame) -> list[dict[str, str]]:
    return [{"label": s.upper(), "institution": str(pair[f"institution_{s}"].iloc[0]), "key": str(pair[f"key_{s}"].iloc[0])} for s in "ab"]


def _fields(at: Desk, pair: pd.DataFrame, names: bool, known: Labels, language: str) -> list[Compared]:
    """Every field that one of the records has, with differing letters marked."""
    keys = pd.MultiIndex.from_tuples([(r["institution"], r["key"]) for r in _records(pair)])
    entity = str(pair["entity"].iloc[0])
    return side_by_side(at.describe(entity, names).reindex(keys).fillna(""), entity, names, known, language)


def _marks(at: Desk, pair: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The files of both records."""
    entity, marks = str(pair["entity"].iloc[0]), {}
    for record in _records(pair):
        key = record["key"]
        if entity == "person":
            persons = at.canonical["person_records"]
            own = persons[(persons["institution"] == record["institution"]) & (persons["record_key"] == key)]["case_key"].dropna()
            key = str(own.iloc[-1]) if len(own) else key
        marks[record["institution"], key] = record["label"].lower()
    return marks


def _neighbours(at: Desk, request: HttpRequest, name: str) -> dict[str, Any]:
    """The pairs before and after this one in the queue; of a pair that does not wait, the first is the next."""
    waiting = at.queue(_who(request))["pair"].tolist()
    place = waiting.index(name) if name in waiting else -1
    following = waiting[place + 1] if place + 1 < len(waiting) else None
    if following == name:
        following = None
    return {"previous": waiting[place - 1] if place > 0 else None, "following": following, "place": place + 1, "waiting": len(waiting)}


def _shown(result: Consequence, language: str) -> dict[str, Any]:
    """Clusters after a verdict, by id, and figures with their labels, totals first."""
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
    known = labels(language)
    for row in figures:
        row["title"] = catalogue()[row["indicator"]].title[language]
        row["cell"] = [known[name].get(row[name], row[name]) for name in dimensions if row[name] != "total"]
    main = [row for row in figures if row["parts"] == 0 and len(row["period"]) == len("2013")] or figures[:_FIRST]
    return {"changed": changed, "clusters": clusters, "figures": figures, "main": main, "rest": [row for row in figures if row not in main]}
