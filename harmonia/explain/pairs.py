"""Explain a pair of records: the comparison field by field with a running sum, and the decision.

Belongs here: what the page of a pair shows. Does not belong here: computing weights (`linkage`), layout.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmonia.explain import links
from harmonia.explain.cases import case_waterfall, evidence_meaning, evidence_name, file_table, reason_cases_not_joined
from harmonia.explain.document import Cell, Column, Explanation, MatchWeight, Section, Table, Text
from harmonia.explain.ids import Kind
from harmonia.explain.labels import format_odds, label_of
from harmonia.explain.linkage import ROUNDING_TOLERANCE, THRESHOLD, PairDecision, PairWeight, pair_decisions
from harmonia.explain.people import model_notice, reason_persons_not_joined, record_table, source_note
from harmonia.explain.published import Key, PublishedHome
from harmonia.explain.records import load_records


def explain_pair(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    """Make the explanation of two records of one kind. names: include the compared values, for stewards."""
    return _explain_persons(home, keys, names=names) if kind == "person" else _explain_cases(home, keys, names=names)


def _pair_facts(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], version: str) -> tuple[list[tuple[str, str]], bool]:
    ids = [home.entity_of(kind, key) for key in keys]
    joined = ids[0] is not None and ids[0] == ids[1]
    facts = [(f"record {name}", f"{key[0]}:{key[1]}") for name, key in zip("AB", keys, strict=True)]
    facts += [(f"{kind} of {name}", found or "–") for name, found in zip("AB", ids, strict=True)]
    return [*facts, ("linkage model", version)], joined


def _explain_persons(home: PublishedHome, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    facts, joined = _pair_facts(home, "person", keys, home.linkage.model.version)
    labels = dict(zip(keys, "AB", strict=True))
    weighed = home.linkage.weigh_pairs([keys])
    summary: list[Text]
    if not weighed:
        summary, weights = (
            [Text("One of the records is unknown to linkage: it was never accepted, or has no readable key.", "notice")],
            [],
        )
    else:
        w = weighed[0]
        summary = [_verdict_sentence("person", joined, w.total), *_reason_sentence(home, w, keys, joined)]
        chart = links.person_waterfall(w, "From prior odds to the decision", format_odds(w.total), names=names)
        weights = [Section("Field by field", [_field_table(w, names=names), *_last_run_notice(home, w)], _BITS_NOTE, [chart])]
    sections = [
        Section("The two records", [record_table(load_records(home, "person", list(keys)), labels, names=names)]),
        *weights,
        Section("Judgements", links.judgement_table(home, "person", list(keys), labels)),
    ]
    return Explanation(
        "Are these one person?", facts, summary, sections, names, source_note(home, names=names), " ".join(":".join(key) for key in keys)
    )


_BITS_NOTE = (
    "Bits: +1 doubles the odds, −1 halves them. Above zero one person is more likely; groups are joined best first while their weight "
    "is above zero."
)


def _verdict_sentence(kind: Kind, joined: bool, weight: float) -> Text:
    answer = "Joined" if joined else "Not joined"
    verdict = f"{answer}: the pair weighs {weight:+.1f} bits, odds of {format_odds(weight)}; the threshold is {THRESHOLD:.0f}."
    return Text(verdict, "good" if joined else "bad")


def _reason_sentence(home: PublishedHome, w: PairWeight, keys: tuple[Key, Key], joined: bool) -> list[Text]:
    if joined and home.verdicts.get(("person", frozenset(keys))) == "same":
        return [Text("Stewards judged both to be one person; this overrides the weight.", "notice")]
    if joined and w.total <= THRESHOLD:
        return [Text("The pair is below the threshold, but both are linked to other records of the same person.", "notice")]
    if joined:
        return []
    groups = [_group_members(home, "person", key) for key in keys]
    return [Text(f"Why not: {reason_persons_not_joined(home, w, groups[0], groups[1])}.", "notice")]


def _group_members(home: PublishedHome, kind: Kind, key: Key) -> list[Key]:
    """Return all records with the same id as the record `key`."""
    entity_id = home.entity_of(kind, key)
    members = home.members([entity_id]) if entity_id else []
    return members or [key]


def _field_table(w: PairWeight, *, names: bool) -> Table:
    """Make a table with the prior odds, the weight of each field and the sum; personal values are hidden without `names`."""
    running_sum, rows = w.prior, list[list[Cell]]()
    prior_detail = "files of one case" if w.same_case else "files of different cases"
    rows.append(["prior odds", "", "", prior_detail, MatchWeight(w.prior), MatchWeight(running_sum)])
    for f in w.fields:
        running_sum += f.bits
        hidden = f.personal and not names
        values = ["hidden" if hidden and value else value for value in f.values]
        level = "missing on one side" if f.level is None else label_of("levels", f.level) + (", exchanged" if f.exchanged else "")
        level += ", as families share it and first names differ" * f.shared_by_family
        rows.append(
            [label_of("fields", f.name), *values, level, MatchWeight(f.bits if f.level is not None else None), MatchWeight(running_sum)]
        )
    columns = [
        Column("field"),
        Column("A", wrap=True),
        Column("B", wrap=True),
        Column("agreement", wrap=True),
        Column("bits", number=True),
        Column("so far", number=True),
    ]
    note = (
        "Values are shown as compared: names are normalised across languages and scripts."
        if names
        else "Names, birth dates and numbers are hidden; --names shows them to stewards."
    )
    return Table("Weights", columns, rows, note, footer=["one person?", "", "", format_odds(w.total), MatchWeight(w.total), ""])


def _last_run_notice(home: PublishedHome, w: PairWeight) -> list[Text]:
    stored = _stored_decision(home, "person", (w.a, w.b))
    if stored is None or w.one_file or abs(stored.weight - w.total) < ROUNDING_TOLERANCE:
        return []
    return [Text(f"The last run decided with {stored.weight:+.2f} bits.", "notice"), *model_notice(home)]


def _stored_decision(home: PublishedHome, kind: Kind, keys: tuple[Key, Key]) -> PairDecision | None:
    decisions = pair_decisions(home.decisions, kind, keys, inside=True)
    return decisions[0] if decisions else None


def _explain_cases(home: PublishedHome, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    facts, joined = _pair_facts(home, "case", keys, home.last_run_model)
    labels = dict(zip(keys, "AB", strict=True))
    stored = _stored_decision(home, "case", keys)
    weights: Sequence[Section] = []
    if stored is None:
        why = "The pair was no candidate (no person or number in common), or weighed less than −8 bits, which is not stored."
        summary = [Text(("Joined through other files. " if joined else "Not joined. ") + why, "good" if joined else "bad")]
    else:
        summary = [_verdict_sentence("case", joined, stored.weight)]
        if not joined:
            why = reason_cases_not_joined(home, stored, _group_members(home, "case", keys[0]), _group_members(home, "case", keys[1]))
            summary.append(Text(f"Why not: {why}.", "notice"))
        chart = case_waterfall(stored, "From prior odds to the decision")
        weights = [Section("Evidence for and against", [_evidence_table(stored)], _BITS_NOTE.replace("person", "case"), [chart])]
    sections = [
        Section("The two files", [file_table(load_records(home, "case", list(keys)), labels)]),
        *weights,
        Section("Judgements", links.judgement_table(home, "case", list(keys), labels)),
    ]
    return Explanation(
        "Are these one case?", facts, summary, sections, names, source_note(home, names=names), " ".join(":".join(key) for key in keys)
    )


def _evidence_table(d: PairDecision) -> Table:
    running_sum, rows = 0.0, list[list[Cell]]()
    ordered = sorted(d.reasons, key=lambda r: r[0] != "prior")
    for name, bits in ordered:
        running_sum += bits
        rows.append([evidence_name(name), evidence_meaning(name), MatchWeight(bits), MatchWeight(running_sum)])
    rows.append([label_of("evidence", "rest"), evidence_meaning("rest"), MatchWeight(d.weight - running_sum), MatchWeight(d.weight)])
    columns = [Column("evidence"), Column("meaning", wrap=True), Column("bits", number=True), Column("so far", number=True)]
    return Table(
        "Weights",
        columns,
        rows,
        "Weights as stored by the last run.",
        footer=["one case?", format_odds(d.weight), MatchWeight(d.weight), ""],
    )
