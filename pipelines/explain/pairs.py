"""The explanation of a pair of records: field by field, with a running sum and the decision.

Belongs here: the content of the page of a pair. Does not belong here: weights (`linkage`), layout.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.explain import links
from pipelines.explain.cases import case_apart, case_waterfall, evidence_name, file_table, meaning
from pipelines.explain.document import Bits, Cell, Column, Explanation, Section, Table, Text
from pipelines.explain.ids import Kind
from pipelines.explain.linkage import SAME, THRESHOLD, Decided, Weighing, decided
from pipelines.explain.people import model_notice, record_table, sources, why_apart
from pipelines.explain.published import Key, PublishedHome
from pipelines.explain.records import describe
from pipelines.explain.words import odds, word


def explain_pair(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    """The page of two records of one kind; `names`: include the compared values."""
    return _persons(home, keys, names=names) if kind == "person" else _cases(home, keys, names=names)


def _facts(home: PublishedHome, kind: Kind, keys: tuple[Key, Key], version: str) -> tuple[list[tuple[str, str]], bool]:
    ids = [home.entity_of(kind, key) for key in keys]
    one = ids[0] is not None and ids[0] == ids[1]
    facts = [(f"record {name}", f"{key[0]}:{key[1]}") for name, key in zip("AB", keys, strict=True)]
    facts += [(f"{kind} of {name}", found or "–") for name, found in zip("AB", ids, strict=True)]
    return [*facts, ("linkage model", version)], one


def _persons(home: PublishedHome, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    facts, one = _facts(home, "person", keys, home.linkage.model.version)
    labels = dict(zip(keys, "AB", strict=True))
    weighed = home.linkage.weigh([keys])
    lead: list[Text]
    if not weighed:
        lead, weights = (
            [Text("One of the records is unknown to linkage: it was never accepted, or has no readable key.", "notice")],
            [],
        )
    else:
        w = weighed[0]
        lead = [_verdict("person", one, w.total), *_reason(home, w, keys, one)]
        chart = links.person_waterfall(w, "From prior odds to the decision", odds(w.total), names=names)
        weights = [Section("Field by field", [_fields(w, names=names), *_as_decided(home, w)], _HOW, [chart])]
    sections = [
        Section("The two records", [record_table(describe(home, "person", list(keys)), labels, names=names)]),
        *weights,
        Section("Judgements", links.judgement_table(home, "person", list(keys), labels)),
    ]
    return Explanation(
        "Are these one person?", facts, lead, sections, names, sources(home, names=names), " ".join(":".join(key) for key in keys)
    )


_HOW = (
    "Bits: +1 doubles the odds, −1 halves them. Above zero one person is more likely; groups are joined best first while their weight "
    "is above zero."
)


def _verdict(kind: Kind, one: bool, weight: float) -> Text:
    answer = "Joined" if one else "Not joined"
    verdict = f"{answer}: the pair weighs {weight:+.1f} bits, odds of {odds(weight)}; the threshold is {THRESHOLD:.0f}."
    return Text(verdict, "good" if one else "bad")


def _reason(home: PublishedHome, w: Weighing, keys: tuple[Key, Key], one: bool) -> list[Text]:
    if one and home.verdicts.get(("person", frozenset(keys))) == "same":
        return [Text("Stewards judged both to be one person; this overrides the weight.", "notice")]
    if one and w.total <= THRESHOLD:
        return [Text("The pair is below the threshold, but both are linked to other records of the same person.", "notice")]
    if one:
        return []
    groups = [_group(home, "person", key) for key in keys]
    return [Text(f"Why not: {why_apart(home, w, groups[0], groups[1])}.", "notice")]


def _group(home: PublishedHome, kind: Kind, key: Key) -> list[Key]:
    """The records with the same current id as a record."""
    found = home.entity_of(kind, key)
    members = home.members([found]) if found else []
    return members or [key]


def _fields(w: Weighing, *, names: bool) -> Table:
    """Prior, each field, sum; personal values are hidden without `names`."""
    running, rows = w.prior, list[list[Cell]]()
    before = "files of one case" if w.within else "files of different cases"
    rows.append(["prior odds", "", "", before, Bits(w.prior), Bits(running)])
    for f in w.fields:
        running += f.bits
        hidden = f.personal and not names
        values = ["hidden" if hidden and value else value for value in f.values]
        level = "missing on one side" if f.level is None else word("levels", f.level) + (", exchanged" if f.exchanged else "")
        level += ", as families share it and first names differ" * f.of_family
        rows.append([word("fields", f.name), *values, level, Bits(f.bits if f.level is not None else None), Bits(running)])
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
    return Table("Weights", columns, rows, note, foot=["one person?", "", "", odds(w.total), Bits(w.total), ""])


def _as_decided(home: PublishedHome, w: Weighing) -> list[Text]:
    found = _decision(home, "person", (w.a, w.b))
    if found is None or w.one_file or abs(found.weight - w.total) < SAME:
        return []
    return [Text(f"The last run decided with {found.weight:+.2f} bits.", "notice"), *model_notice(home)]


def _decision(home: PublishedHome, kind: Kind, keys: tuple[Key, Key]) -> Decided | None:
    found = decided(home.decisions, kind, keys, inside=True)
    return found[0] if found else None


def _cases(home: PublishedHome, keys: tuple[Key, Key], *, names: bool) -> Explanation:
    facts, one = _facts(home, "case", keys, home.model_of_run)
    labels = dict(zip(keys, "AB", strict=True))
    found = _decision(home, "case", keys)
    weights: Sequence[Section] = []
    if found is None:
        why = "The pair was no candidate (no person or number in common), or weighed less than −8 bits, which is not stored."
        lead = [Text(("Joined through other files. " if one else "Not joined. ") + why, "good" if one else "bad")]
    else:
        lead = [_verdict("case", one, found.weight)]
        if not one:
            why = case_apart(home, found, _group(home, "case", keys[0]), _group(home, "case", keys[1]))
            lead.append(Text(f"Why not: {why}.", "notice"))
        chart = case_waterfall(found, "From prior odds to the decision")
        weights = [Section("Evidence for and against", [_evidence(found)], _HOW.replace("person", "case"), [chart])]
    sections = [
        Section("The two files", [file_table(describe(home, "case", list(keys)), labels)]),
        *weights,
        Section("Judgements", links.judgement_table(home, "case", list(keys), labels)),
    ]
    return Explanation(
        "Are these one case?", facts, lead, sections, names, sources(home, names=names), " ".join(":".join(key) for key in keys)
    )


def _evidence(d: Decided) -> Table:
    running, rows = 0.0, list[list[Cell]]()
    ordered = sorted(d.reasons, key=lambda r: r[0] != "prior")
    for name, bits in ordered:
        running += bits
        rows.append([evidence_name(name), meaning(name), Bits(bits), Bits(running)])
    rows.append([word("evidence", "rest"), meaning("rest"), Bits(d.weight - running), Bits(d.weight)])
    columns = [Column("evidence"), Column("meaning", wrap=True), Column("bits", number=True), Column("so far", number=True)]
    return Table("Weights", columns, rows, "Weights as stored by the last run.", foot=["one case?", odds(d.weight), Bits(d.weight), ""])
