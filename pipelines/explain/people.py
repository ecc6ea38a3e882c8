"""The explanation of a person: records side by side, their links, near matches, judgements, history.

Belongs here: the content of the page of a person. Does not belong here: weights (`linkage`), layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from pipelines.console import count
from pipelines.explain import links
from pipelines.explain.document import Block, Cell, Column, Explanation, Section, Table, Text
from pipelines.explain.ids import Named
from pipelines.explain.linkage import THRESHOLD, Weighing, decided
from pipelines.explain.published import Key, PublishedHome
from pipelines.explain.records import Record, describe
from pipelines.explain.words import day, letter, odds, text

MOST_WEIGHED = 60  # records; for more, only the pairs stored by the run are weighed
MOST_CHARTS = 8
MOST_PAIRS = 24
MOST_NEIGHBOURS = 8
LEAST_NEAR = -8.0
"""Bits: the least weight of a near match."""
_NAMES = (("full_name", ""), ("parent_name", "parent "), ("birth_date", "born "), ("personal_number", "no. "))


def explain_person(home: PublishedHome, named: Named, *, names: bool) -> Explanation:
    """The page of a person; `names`: include names, birth dates and numbers, for stewards."""
    keys = member_keys(home, named)
    records = describe(home, "person", keys)
    labels = {r.key: letter(n) for n, r in enumerate(records)}
    weighed = _weigh_inside(home, list(labels))
    tree = links.spanning_links((w.a, w.b, w.total) for w in weighed if not w.one_file)
    cases = list(dict.fromkeys(r.case_id for r in records if r.case_id))
    facts = [
        ("person", named.entity.id),
        ("records", str(len(records))),
        ("institutions", ", ".join(dict.fromkeys(r.key[0] for r in records)) or "–"),
        ("cases", ", ".join(cases) or "–"),
        ("linkage model", home.linkage.model.version),
    ]
    sections = [
        Section("Records side by side", [record_table(records, labels, names=names)], "The accepted state of each, else the latest."),
        _links(records, labels, weighed, tree, names=names),
        _near(home, labels, names=names),
        Section("Judgements", links.judgement_table(home, "person", list(labels), labels)),
        Section("Where the person counts", [counted_table(home, "person_id", named.entity.id)]),
        Section("The id and its history", [links.history(home, named.entity)]),
    ]
    return Explanation(
        f"Person {named.entity.id}", facts, _lead(home, named, records, tree), sections, names, sources(home, names=names), named.entity.id
    )


def sources(home: PublishedHome, *, names: bool) -> str:
    """The footer: source and audience."""
    whom = "for stewards only: contains names" if names else "no names, no birth dates, no personal numbers"
    return f"Made from {home.place} by harmonia explain; {whom}. Confidential: contains record keys."


def member_keys(home: PublishedHome, named: Named) -> list[Key]:
    """The current records of an id, in the order of joining."""
    ids = [named.entity.id, *(e.id for e in home.redirected_to(named.entity.id))]
    return home.members(ids)


def redirect_notice(named: Named) -> list[Text]:
    """A notice where the requested id redirects to another."""
    if named.asked is None:
        return []
    return [Text(f"{named.asked} was merged into {named.entity.id}; ids are never reused.", "notice")]


def _lead(home: PublishedHome, named: Named, records: Sequence[Record], tree: Sequence[tuple[Key, Key, float]]) -> list[Text]:
    lead = redirect_notice(named)
    if not records:
        return [*lead, Text("This id has no records now: they moved to another id or are no longer delivered.", "notice")]
    if len(records) == 1:
        return [*lead, Text("One record only; no other record was linked to it.")]
    weakest = min((w for _, _, w in tree), default=0.0)
    summary = f"{count(len(records), 'record')} connected by {count(len(tree), 'link')}; the weakest weighs {weakest:+.1f} bits"
    summary += f" ({odds(weakest)})."
    lead.append(Text(summary, "good" if weakest > THRESHOLD else "notice"))
    if weakest <= THRESHOLD or len(tree) < len(records) - 1:
        lead.append(
            Text("A link below zero comes from a judgement or from the group as a whole, or its weight changed since the run.", "notice")
        )
    return [*lead, *model_notice(home)]


def model_notice(home: PublishedHome) -> list[Text]:
    """A notice where the last run used other weights than those shown."""
    ran, now = home.model_of_run, home.linkage.model.version
    if ran == now and home.linkage.as_in_the_run:
        return []
    how = f"with model {ran}" if ran != now else "before linkage was changed"
    return [Text(f"The last run decided {how}; the weights shown are those of {now} now. Run again to apply them.", "notice")]


def record_table(records: Sequence[Record], labels: Mapping[Key, str], *, names: bool) -> Table:
    """One row per person record."""
    columns = [
        Column(""),
        Column("record"),
        *([Column("name, parent, birth, number")] if names else []),
        Column("role"),
        Column("case"),
        Column("offence", wrap=True),
        Column("dates"),
        Column("numbers cited"),
        Column("delivered in"),
    ]
    rows = [_record_row(r, labels[r.key], names=names) for r in records]
    return Table("The records", columns, rows)


def who(r: Record) -> tuple[str, ...]:
    """Name, parent, birth and number of a record as delivered, one line each; missing ones are left out."""
    values = [(label, r.value(c) or (r.value("birth_year") if c == "birth_date" else "")) for c, label in _NAMES]
    return tuple(label + value for label, value in values if value)


def _record_row(r: Record, label: str, *, names: bool) -> list[Cell]:
    role = tuple(filter(None, (r.value("role"), r.value("sex"))))
    return [label, record(r), *([who(r)] if names else []), role, r.case_id, r.offence, r.dates, r.references, place(r)]


def record(r: Record) -> tuple[str, ...]:
    """Institution and key."""
    return r.key


def place(r: Record) -> tuple[str, ...]:
    """Delivery, file and line of the state shown; its status; the number of states delivered."""
    where = r.file + (f", line {r.line}" if r.line else "")
    return r.delivery, where, r.status + (f", {r.states} states" if r.states > 1 else "")


def _weigh_inside(home: PublishedHome, keys: Sequence[Key]) -> list[Weighing]:
    if len(keys) < 2:
        return []
    if len(keys) <= MOST_WEIGHED:
        return home.linkage.weigh(list(combinations(keys, 2)))
    return home.linkage.weigh([(d.a, d.b) for d in decided(home.decisions, "person", keys, inside=True)])


def _links(
    records: Sequence[Record],
    labels: Mapping[Key, str],
    weighed: Sequence[Weighing],
    tree: Sequence[tuple[Key, Key, float]],
    *,
    names: bool,
) -> Section:
    if len(records) < 2 or not weighed:
        return Section("Links between the records", [Text("There are no links.")])
    spanning = {(a, b) for a, b, _ in tree}
    ordered = sorted(weighed, key=lambda w: ((w.a, w.b) not in spanning, -w.total))
    shown = ordered[:MOST_PAIRS]
    rows = [(f"{labels[w.a]} – {labels[w.b]}", w, "connects the group" if (w.a, w.b) in spanning else _beside(w)) for w in shown]
    left = len(ordered) - len(shown)
    note = (
        "Bits: +1 doubles the odds that both are one person, −1 halves them; – means missing on one side. Zero is even odds. "
        "Where first names differ, what families share (surname, parent, home) has no weight: they could be siblings."
    )
    note += f" {count(left, 'weaker pair')} left out." if left else ""
    table = links.weight_table("Pairs of records", rows, note=note, marked=frozenset(range(len(tree))), last="")
    charts = [links.person_waterfall(w, f"{labels[w.a]} – {labels[w.b]}", "", names=names) for w in shown[: min(len(tree), MOST_CHARTS)]]
    return Section("Links between the records", [table], "Coloured rows connect the group; the others are further evidence.", charts)


def _beside(w: Weighing) -> str:
    return "one file" if w.one_file else ""


def _near(home: PublishedHome, labels: Mapping[Key, str], *, names: bool) -> Section:
    """The nearest records that were not joined, each with the reason."""
    title = "Near matches, not joined"
    found = neighbours(home, list(labels))
    if not found:
        return Section(title, [Text("There are no near matches.")])
    blocks: list[Block] = []
    others = describe(home, "person", [w.b for w, _, _ in found])
    extra = {r.key: f"n{n + 1}" for n, r in enumerate(others)}
    rows = [(f"{labels[w.a]} – {extra[w.b]}", w, f"{why} ({person})" if person else why) for w, why, person in found if w.b in extra]
    if not rows:
        return Section(title, [Text("There are no near matches.")])
    blocks.append(record_table(others, extra, names=names))
    blocks.append(links.weight_table("Weights", rows, last="why not"))
    return Section(title, blocks, "The nearest records of other persons, each compared with the most similar record of this person.")


def neighbours(home: PublishedHome, keys: Sequence[Key]) -> list[tuple[Weighing, str, str]]:
    """The nearest other records, one per person: the pair (member, neighbour), why they were not joined, the neighbour's id."""
    known = [k for k in keys if k in home.linkage]
    if not known:
        return []
    refused = decided(home.decisions, "person", known, inside=False)
    members = set(known)
    pairs = [(d.a, d.b) if d.a in members else (d.b, d.a) for d in refused]
    pairs += [(a, b) for b in home.linkage.companions(known) for a in known]
    best: dict[str, Weighing] = {}
    person_of = _persons_of(home)
    for w in home.linkage.weigh(list(dict.fromkeys(pairs))):
        person = person_of.get(w.b, "")
        if w.total >= LEAST_NEAR and (person not in best or w.total > best[person].total):
            best[person] = w
    nearest = sorted(best.items(), key=lambda item: -item[1].total)[:MOST_NEIGHBOURS]
    groups = {person: [k for k, p in person_of.items() if p == person] for person, _ in nearest}
    return [(w, why_apart(home, w, known, groups[person] or [w.b]), person) for person, w in nearest]


def _persons_of(home: PublishedHome) -> dict[Key, str]:
    persons = home.identities["persons"]
    keys = zip(persons["institution"].astype(str), persons["record_key"].astype(str), strict=True)
    return dict(zip(keys, persons["person_id"].astype(str), strict=True))


def why_apart(home: PublishedHome, w: Weighing, one: Sequence[Key], other: Sequence[Key]) -> str:
    """Why two groups were not joined, by their best pair and as wholes."""
    judged = home.judged_different("person", one, other)
    if judged:
        return f"stewards judged {judged[0][1]} and {judged[1][1]} to be two persons"
    if w.one_file:
        return "rule: one file names them as two persons"
    if w.nameless:
        return "rule: one of them has no identifying data and is never linked"
    if w.total <= THRESHOLD:
        return f"the odds are against it, {odds(w.total)}"
    group = home.linkage.apart(one, other)
    if group.rule:
        return f"rule: one file names {group.rule[0][1]} and {group.rule[1][1]} as two persons"
    if group.nearness <= THRESHOLD:
        return f"this pair is above the threshold, but the groups as wholes are not: {group.average:+.1f} bits on average"
    return "its weight is above zero now: its weight in the run differed, or another record prevented the link"


def counted_table(home: PublishedHome, column: str, entity_id: str) -> Table:
    """The indicators in which a case or person counts."""
    rows = home.query(
        f"SELECT indicator, day, estimated, case_id, person_id, offence_group, counts_in_quarter, counts_in_year FROM counted "
        f"WHERE {column} = ? ORDER BY day, indicator",
        [entity_id],
    )
    other = "case_id" if column == "person_id" else "person_id"
    columns = [Column("indicator"), Column("day"), Column(other.replace("_id", "")), Column("offence"), Column("counts in", wrap=True)]
    lines = [
        [
            r["indicator"],
            day(r["day"]) + (" (imputed)" if r["estimated"] else ""),
            text(r[other]),
            r["offence_group"].replace("_", " "),
            _in(r),
        ]
        for r in rows.to_dict("records")
    ]
    return Table("Figures", columns, lines, "" if lines else "Not counted in any published figure.")


def _in(row: Mapping[Any, Any]) -> str:
    where = [name for name, counts in (("its quarter", row["counts_in_quarter"]), ("its year", row["counts_in_year"])) if counts]
    return " and ".join(where) or "neither: the person counts once per period"
