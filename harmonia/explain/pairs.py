"""Explain a pair of records: the comparison field by field with a running sum, and the decision.

Belongs here: what the page of a pair shows. Does not belong here: computing weights (`linkage`), layout.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmonia.explain import links
from harmonia.explain.cases import describe_evidence, explain_cases_not_joined, get_evidence_label, make_case_waterfall, make_file_table
from harmonia.explain.document import Cell, Column, Explanation, MatchWeight, Section, Table, Text
from harmonia.explain.ids import Kind
from harmonia.explain.labels import find_label, format_odds
from harmonia.explain.linkage import ROUNDING_TOLERANCE, THRESHOLD, PairDecision, PairWeight, select_pair_decisions
from harmonia.explain.people import explain_persons_not_joined, make_model_notice, make_record_table, write_source_note
from harmonia.explain.published import Key, PublishedHome
from harmonia.explain.records import load_records


def explain_pair(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    """Make the explanation of two records of one kind. names: include the compared values, for stewards."""
    return _explain_persons(home, keys, names=names) if kind == "person" else _explain_cases(home, keys, names=names)


def _list_pair_facts(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], version: str) -> tuple[list[tuple[str, str]], bool]:
    ids = [home.find_current_id(kind, key) for key in keys]
    joined = ids[0] is not None and ids[0] == ids[1]
    facts = [(f"record {name}", f"{key[0]}:{key[1]}") for name, key in zip("AB", keys, strict=True)]
    facts += [(f"{kind} of {name}", found or "–") for name, found in zip("AB", ids, strict=True)]
    return [*facts, ("linkage model", version)], joined


def _explain_persons(home: PublishedHome, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    facts, joined = _list_pair_facts(home, "person", keys, home.linkage.model.version)
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
        summary = [_write_verdict("person", joined, w.total), *_write_reason(home, w, keys, joined)]
        chart = links.make_person_waterfall(w, "From prior odds to the decision", format_odds(w.total), names=names)
        weights = [Section("Field by field", [_make_field_table(w, names=names), *_make_last_run_notice(home, w)], _BITS_NOTE, [chart])]
    records = Section("The two records", [make_record_table(load_records(home, "person", list(keys)), labels, names=names)])
    return _make_pair_explanation(home, "person", keys, facts, summary, [records, *weights], names=names)


_BITS_NOTE = (
    "Bits: +1 doubles the odds, −1 halves them. Above zero one person is more likely; groups are joined best first while their weight "
    "is above zero."
)


def _make_pair_explanation(
    home: PublishedHome,
    kind: Kind,
    keys: tuple[Key, Key],
    facts: Sequence[tuple[str, str]],
    summary: Sequence[Text],
    sections: Sequence[Section],
    *,
    names: bool,
) -> Explanation:
    """Make the explanation of a pair from its parts, and add the judgements on the two records."""
    labels = dict(zip(keys, "AB", strict=True))
    judgements = Section("Judgements", links.make_judgement_table(home, kind, list(keys), labels))
    subject = " ".join(":".join(key) for key in keys)
    sources = write_source_note(home, names=names)
    return Explanation(f"Are these one {kind}?", facts, summary, [*sections, judgements], names, sources, subject)


def _write_verdict(kind: Kind, joined: bool, weight: float) -> Text:
    answer = "Joined" if joined else "Not joined"
    verdict = f"{answer}: the pair weighs {weight:+.1f} bits, odds of {format_odds(weight)}; the threshold is {THRESHOLD:.0f}."
    return Text(verdict, "good" if joined else "bad")


def _write_reason(home: PublishedHome, w: PairWeight, keys: tuple[Key, Key], joined: bool) -> list[Text]:
    if joined and home.verdicts.get(("person", frozenset(keys))) == "same":
        return [Text("Stewards judged both to be one person; this overrides the weight.", "notice")]
    if joined and w.total <= THRESHOLD:
        return [Text("The pair is below the threshold, but both are linked to other records of the same person.", "notice")]
    if joined:
        return []
    groups = [_list_group_members(home, "person", key) for key in keys]
    return [Text(f"Why not: {explain_persons_not_joined(home, w, groups[0], groups[1])}.", "notice")]


def _list_group_members(home: PublishedHome, kind: Kind, key: Key) -> list[Key]:
    """Return all records with the same id as the record `key`."""
    entity_id = home.find_current_id(kind, key)
    members = home.list_members([entity_id]) if entity_id else []
    return members or [key]


def _make_field_table(w: PairWeight, *, names: bool) -> Table:
    """Make a table with the prior odds, the weight of each field and the sum; personal values are hidden without `names`."""
    running_sum, rows = w.prior, list[list[Cell]]()
    prior_detail = "files of one case" if w.same_case else "files of different cases"
    rows.append(["prior odds", "", "", prior_detail, MatchWeight(w.prior), MatchWeight(running_sum)])
    for f in w.fields:
        running_sum += f.bits
        hidden = f.personal and not names
        values = ["hidden" if hidden and value else value for value in f.values]
        level = "missing on one side" if f.level is None else find_label("levels", f.level) + (", exchanged" if f.exchanged else "")
        level += ", as families share it and first names differ" * f.shared_by_family
        rows.append(
            [find_label("fields", f.name), *values, level, MatchWeight(f.bits if f.level is not None else None), MatchWeight(running_sum)]
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


def _make_last_run_notice(home: PublishedHome, w: PairWeight) -> list[Text]:
    stored = _find_stored_decision(home, "person", (w.a, w.b))
    if stored is None or w.one_file or abs(stored.weight - w.total) < ROUNDING_TOLERANCE:
        return []
    return [Text(f"The last run decided with {stored.weight:+.2f} bits.", "notice"), *make_model_notice(home)]


def _find_stored_decision(home: PublishedHome, kind: Kind, keys: tuple[Key, Key]) -> PairDecision | None:
    decisions = select_pair_decisions(home.decisions, kind, keys, inside=True)
    return decisions[0] if decisions else None


def _explain_cases(home: PublishedHome, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    facts, joined = _list_pair_facts(home, "case", keys, home.last_run_model)
    labels = dict(zip(keys, "AB", strict=True))
    stored = _find_stored_decision(home, "case", keys)
    weights: Sequence[Section] = []
    if stored is None:
        why = "The pair was no candidate (no person or number in common), or weighed less than −8 bits, which is not stored."
        summary = [Text(("Joined through other files. " if joined else "Not joined. ") + why, "good" if joined else "bad")]
    else:
        summary = [_write_verdict("case", joined, stored.weight)]
        if not joined:
            why = explain_cases_not_joined(
                home, stored, _list_group_members(home, "case", keys[0]), _list_group_members(home, "case", keys[1])
            )
            summary.append(Text(f"Why not: {why}.", "notice"))
        chart = make_case_waterfall(stored, "From prior odds to the decision")
        weights = [Section("Evidence for and against", [_make_evidence_table(stored)], _BITS_NOTE.replace("person", "case"), [chart])]
    records = Section("The two files", [make_file_table(load_records(home, "case", list(keys)), labels)])
    return _make_pair_explanation(home, "case", keys, facts, summary, [records, *weights], names=names)


def _make_evidence_table(d: PairDecision) -> Table:
    running_sum, rows = 0.0, list[list[Cell]]()
    ordered = sorted(d.reasons, key=lambda r: r[0] != "prior")
    for name, bits in ordered:
        running_sum += bits
        rows.append([get_evidence_label(name), describe_evidence(name), MatchWeight(bits), MatchWeight(running_sum)])
    rows.append([find_label("evidence", "rest"), describe_evidence("rest"), MatchWeight(d.weight - running_sum), MatchWeight(d.weight)])
    columns = [Column("evidence"), Column("meaning", wrap=True), Column("bits", number=True), Column("so far", number=True)]
    return Table(
        "Weights",
        columns,
        rows,
        "Weights as stored by the last run.",
        footer=["one case?", format_odds(d.weight), MatchWeight(d.weight), ""],
    )
