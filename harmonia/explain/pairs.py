"""Explain a pair of records: the comparison field by field with a running sum, and the decision.

Belongs here: what the page of a pair shows. Does not belong here: computing weights (`linkage`); layout.
"""

from __future__ import annotations

from collections.abc import Sequence

from harmonia.explain import links
from harmonia.explain.cases import (
    describe_evidence_kind,
    explain_cases_not_joined,
    get_label_of_evidence_kind,
    make_case_file_table,
    make_case_waterfall,
)
from harmonia.explain.document import Cell, Column, Explanation, MatchWeight, Section, Table, Text
from harmonia.explain.ids import Kind
from harmonia.explain.labels import find_label, format_odds
from harmonia.explain.linkage import ROUNDING_TOLERANCE, THRESHOLD, PairDecision, PairWeight, select_pair_decisions
from harmonia.explain.people import explain_persons_not_joined, make_model_notice, make_person_record_table, write_source_note
from harmonia.explain.published import Key, PublishedHome
from harmonia.explain.records import load_records


def explain_pair(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], *, show_names: bool) -> Explanation:
    """Make the explanation of a pair of records of one kind. show_names: whether to include the compared values, for stewards."""
    return (
        _explain_pair_of_person_records(home, keys, show_names=show_names)
        if kind == "person"
        else _explain_pair_of_case_files(home, keys, show_names=show_names)
    )


def _list_pair_facts(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], model_version: str) -> tuple[list[tuple[str, str]], bool]:
    """Return the facts that are shown first on the page of a pair, and whether its two records have the same id."""
    ids = [home.find_current_id(kind, key) for key in keys]
    joined = ids[0] is not None and ids[0] == ids[1]
    facts = [(f"record {name}", f"{key[0]}:{key[1]}") for name, key in zip("AB", keys, strict=True)]
    facts += [(f"{kind} of {name}", found or "–") for name, found in zip("AB", ids, strict=True)]
    return [*facts, ("linkage model", model_version)], joined


def _explain_pair_of_person_records(home: PublishedHome, keys: tuple[Key, Key], *, show_names: bool) -> Explanation:
    facts, joined = _list_pair_facts(home, "person", keys, home.linkage_weights.model.version)
    labels = dict(zip(keys, "AB", strict=True))
    weighed = home.linkage_weights.weigh_pairs([keys])
    summary: list[Text]
    if not weighed:
        summary, weights = (
            [Text("One of the records is unknown to linkage: it was never accepted, or has no readable key.", "notice")],
            [],
        )
    else:
        w = weighed[0]
        summary = [_write_sentence_on_decision("person", joined, w.total), *_write_reason_for_decision(home, w, keys, joined)]
        chart = links.make_person_waterfall(w, "From prior odds to the decision", format_odds(w.total), show_names=show_names)
        weights = [
            Section(
                "Field by field", [_make_field_weight_table(w, show_names=show_names), *_make_last_run_notice(home, w)], _BITS_NOTE, [chart]
            )
        ]
    records = Section(
        "The two records", [make_person_record_table(load_records(home, "person", list(keys)), labels, show_names=show_names)]
    )
    return _make_pair_explanation(home, "person", keys, facts, summary, [records, *weights], show_names=show_names)


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
    show_names: bool,
) -> Explanation:
    """Make the explanation of a pair from its parts, and add the judgements on the two records."""
    labels = dict(zip(keys, "AB", strict=True))
    judgements = Section("Judgements", links.make_judgement_table(home, kind, list(keys), labels))
    subject = " ".join(":".join(key) for key in keys)
    sources = write_source_note(home, show_names=show_names)
    return Explanation(f"Are these one {kind}?", facts, summary, [*sections, judgements], show_names, sources, subject)


def _write_sentence_on_decision(kind: Kind, joined: bool, weight: float) -> Text:
    answer = "Joined" if joined else "Not joined"
    verdict = f"{answer}: the pair weighs {weight:+.1f} bits, odds of {format_odds(weight)}; the threshold is {THRESHOLD:.0f}."
    return Text(verdict, "good" if joined else "bad")


def _write_reason_for_decision(home: PublishedHome, pair_weight: PairWeight, keys: tuple[Key, Key], joined: bool) -> list[Text]:
    if joined and home.verdicts_by_pair.get(("person", frozenset(keys))) == "same":
        return [Text("Stewards judged both to be one person; this overrides the weight.", "notice")]
    if joined and pair_weight.total <= THRESHOLD:
        return [Text("The pair is below the threshold, but both are linked to other records of the same person.", "notice")]
    if joined:
        return []
    groups = [_list_group_members(home, "person", key) for key in keys]
    return [Text(f"Why not: {explain_persons_not_joined(home, pair_weight, groups[0], groups[1])}.", "notice")]


def _list_group_members(home: PublishedHome, kind: Kind, key: Key) -> list[Key]:
    """Return all records with the same id as the record `key`."""
    entity_id = home.find_current_id(kind, key)
    members = home.list_members([entity_id]) if entity_id else []
    return members or [key]


def _make_field_weight_table(pair_weight: PairWeight, *, show_names: bool) -> Table:
    """Make a table with the prior odds, the weight of each field and the sum. Without `show_names`, personal values are hidden."""
    running_sum, rows = pair_weight.prior, list[list[Cell]]()
    prior_detail = "files of one case" if pair_weight.same_case else "files of different cases"
    rows.append(["prior odds", "", "", prior_detail, MatchWeight(pair_weight.prior), MatchWeight(running_sum)])
    for f in pair_weight.fields:
        running_sum += f.bits
        hidden = f.personal and not show_names
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
        if show_names
        else "Names, birth dates and numbers are hidden; --names shows them to stewards."
    )
    return Table(
        "Weights", columns, rows, note, footer=["one person?", "", "", format_odds(pair_weight.total), MatchWeight(pair_weight.total), ""]
    )


def _make_last_run_notice(home: PublishedHome, pair_weight: PairWeight) -> list[Text]:
    stored = _find_stored_decision(home, "person", (pair_weight.a, pair_weight.b))
    if stored is None or pair_weight.one_file or abs(stored.weight - pair_weight.total) < ROUNDING_TOLERANCE:
        return []
    return [Text(f"The last run decided with {stored.weight:+.2f} bits.", "notice"), *make_model_notice(home)]


def _find_stored_decision(home: PublishedHome, kind: Kind, keys: tuple[Key, Key]) -> PairDecision | None:
    decisions = select_pair_decisions(home.decisions, kind, keys, inside=True)
    return decisions[0] if decisions else None


def _explain_pair_of_case_files(home: PublishedHome, keys: tuple[Key, Key], *, show_names: bool) -> Explanation:
    facts, joined = _list_pair_facts(home, "case", keys, home.model_of_last_run)
    labels = dict(zip(keys, "AB", strict=True))
    stored = _find_stored_decision(home, "case", keys)
    weights: Sequence[Section] = []
    if stored is None:
        why = "The pair was no candidate (no person or number in common), or weighed less than −8 bits, which is not stored."
        summary = [Text(("Joined through other files. " if joined else "Not joined. ") + why, "good" if joined else "bad")]
    else:
        summary = [_write_sentence_on_decision("case", joined, stored.weight)]
        if not joined:
            why = explain_cases_not_joined(
                home, stored, _list_group_members(home, "case", keys[0]), _list_group_members(home, "case", keys[1])
            )
            summary.append(Text(f"Why not: {why}.", "notice"))
        chart = make_case_waterfall(stored, "From prior odds to the decision")
        weights = [Section("Evidence for and against", [_make_evidence_table(stored)], _BITS_NOTE.replace("person", "case"), [chart])]
    records = Section("The two files", [make_case_file_table(load_records(home, "case", list(keys)), labels)])
    return _make_pair_explanation(home, "case", keys, facts, summary, [records, *weights], show_names=show_names)


def _make_evidence_table(decision: PairDecision) -> Table:
    running_sum, rows = 0.0, list[list[Cell]]()
    ordered = sorted(decision.reasons, key=lambda r: r[0] != "prior")
    for name, bits in ordered:
        running_sum += bits
        rows.append([get_label_of_evidence_kind(name), describe_evidence_kind(name), MatchWeight(bits), MatchWeight(running_sum)])
    rows.append(
        [
            find_label("evidence", "rest"),
            describe_evidence_kind("rest"),
            MatchWeight(decision.weight - running_sum),
            MatchWeight(decision.weight),
        ]
    )
    columns = [Column("evidence"), Column("meaning", wrap=True), Column("bits", number=True), Column("so far", number=True)]
    return Table(
        "Weights",
        columns,
        rows,
        "Weights as stored by the last run.",
        footer=["one case?", format_odds(decision.weight), MatchWeight(decision.weight), ""],
    )
