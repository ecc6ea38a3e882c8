"""Explain a person: records side by side, their links, near matches, judgements, history.

Belongs here: what the page of a person shows. Does not belong here: computing weights (`linkage`); layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from harmonia.console import format_count
from harmonia.explain import links
from harmonia.explain.document import Block, Cell, Column, Explanation, Section, Table, Text
from harmonia.explain.ids import ResolvedEntity
from harmonia.explain.labels import format_day, format_odds, format_value, make_letter_label
from harmonia.explain.linkage import THRESHOLD, PairWeight, select_pair_decisions
from harmonia.explain.published import Key, PublishedHome
from harmonia.explain.records import Record, load_records

MAX_WEIGHED_RECORDS = 60  # records; for more, only the pairs stored by the run are weighed
MAX_CHARTS = 8
MAX_PAIRS = 24
MAX_NEIGHBOURS = 8
MIN_NEIGHBOUR_WEIGHT = -8.0
"""Match weight in bits that a near match must have at least."""
_IDENTITY_FIELDS = (("full_name", ""), ("parent_name", "parent "), ("birth_date", "born "), ("personal_number", "no. "))


def explain_person(home: PublishedHome, resolved_entity: ResolvedEntity, *, show_names: bool) -> Explanation:
    """Make the explanation of a person. show_names: include names, birth dates and numbers, for stewards."""
    keys = list_member_keys(home, resolved_entity)
    records = load_records(home, "person", keys)
    labels = {r.key: make_letter_label(n) for n, r in enumerate(records)}
    weighed = _weigh_pairs_of_records(home, list(labels))
    tree = links.select_spanning_links((w.a, w.b, w.total) for w in weighed if not w.one_file)
    cases = list(dict.fromkeys(r.case_id for r in records if r.case_id))
    facts = [
        ("person", resolved_entity.entity.id),
        ("records", str(len(records))),
        ("institutions", ", ".join(dict.fromkeys(r.key[0] for r in records)) or "–"),
        ("cases", ", ".join(cases) or "–"),
        ("linkage model", home.linkage_weights.model.version),
    ]
    sections = [
        Section(
            "Records side by side",
            [make_person_record_table(records, labels, show_names=show_names)],
            "The accepted state of each, else the latest.",
        ),
        _make_link_section(records, labels, weighed, tree, show_names=show_names),
        _make_near_match_section(home, labels, show_names=show_names),
        Section("Judgements", links.make_judgement_table(home, "person", list(labels), labels)),
        Section("Where the person counts", [make_indicator_table(home, "person_id", resolved_entity.entity.id)]),
        Section("The id and its history", [links.make_id_history(home, resolved_entity.entity)]),
    ]
    return Explanation(
        f"Person {resolved_entity.entity.id}",
        facts,
        _summarise_person(home, resolved_entity, records, tree),
        sections,
        show_names,
        write_source_note(home, show_names=show_names),
        resolved_entity.entity.id,
    )


def write_source_note(home: PublishedHome, *, show_names: bool) -> str:
    """Return the footer of an explanation: from which home it was made and who may see it."""
    audience = "for stewards only: contains names" if show_names else "no names, no birth dates, no personal numbers"
    return f"Made from {home.folder} by harmonia explain; {audience}. Confidential: contains record keys."


def list_member_keys(home: PublishedHome, resolved_entity: ResolvedEntity) -> list[Key]:
    """Return the records that have the id now, including records of ids that redirect to it, in the order in which they joined it."""
    ids = [resolved_entity.entity.id, *(e.id for e in home.list_redirected_to(resolved_entity.entity.id))]
    return home.list_members(ids)


def make_redirect_notice(resolved_entity: ResolvedEntity) -> list[Text]:
    """Return a notice if the id that was typed redirects to another id, otherwise an empty list."""
    if resolved_entity.redirected_from is None:
        return []
    return [Text(f"{resolved_entity.redirected_from} was merged into {resolved_entity.entity.id}; ids are never reused.", "notice")]


def _summarise_person(
    home: PublishedHome, resolved_entity: ResolvedEntity, records: Sequence[Record], spanning_links: Sequence[tuple[Key, Key, float]]
) -> list[Text]:
    summary = make_redirect_notice(resolved_entity)
    if not records:
        return [*summary, Text("This id has no records now: they moved to another id or are no longer delivered.", "notice")]
    if len(records) == 1:
        return [*summary, Text("One record only; no other record was linked to it.")]
    weakest = min((w for _, _, w in spanning_links), default=0.0)
    sentence = f"{format_count(len(records), 'record')} connected by {format_count(len(spanning_links), 'link')}"
    sentence += f"; the weakest weighs {weakest:+.1f} bits"
    sentence += f" ({format_odds(weakest)})."
    summary.append(Text(sentence, "good" if weakest > THRESHOLD else "notice"))
    if weakest <= THRESHOLD or len(spanning_links) < len(records) - 1:
        summary.append(
            Text("A link below zero comes from a judgement or from the group as a whole, or its weight changed since the run.", "notice")
        )
    return [*summary, *make_model_notice(home)]


def make_model_notice(home: PublishedHome) -> list[Text]:
    """Return a notice if the last run used another model, and so other weights than those shown; otherwise an empty list."""
    last_run, now = home.model_of_last_run, home.linkage_weights.model.version
    if last_run == now and home.linkage_weights.matches_last_run:
        return []
    how = f"with model {last_run}" if last_run != now else "before linkage was changed"
    return [Text(f"The last run decided {how}; the weights shown are those of {now} now. Run again to apply them.", "notice")]


def make_person_record_table(records: Sequence[Record], labels: Mapping[Key, str], *, show_names: bool) -> Table:
    """Make a table with one row per person record."""
    columns = [
        Column(""),
        Column("record"),
        *([Column("name, parent, birth, number")] if show_names else []),
        Column("role"),
        Column("case"),
        Column("offence", wrap=True),
        Column("dates"),
        Column("numbers cited"),
        Column("delivered in"),
    ]
    rows = [_make_person_record_row(r, labels[r.key], show_names=show_names) for r in records]
    return Table("The records", columns, rows)


def list_lines_on_identity(record: Record) -> tuple[str, ...]:
    """Return the name, parent, birth date and personal number of a record as delivered, one line each; missing values are left out."""
    values = [(label, record.get_text(c) or (record.get_text("birth_year") if c == "birth_date" else "")) for c, label in _IDENTITY_FIELDS]
    return tuple(label + value for label, value in values if value)


def _make_person_record_row(record: Record, label: str, *, show_names: bool) -> list[Cell]:
    role = tuple(filter(None, (record.get_text("role"), record.get_text("sex"))))
    return [
        label,
        record.key,
        *([list_lines_on_identity(record)] if show_names else []),
        role,
        record.case_id,
        record.offence,
        record.dates,
        record.references,
        list_lines_on_delivery(record),
    ]


def list_lines_on_delivery(record: Record) -> tuple[str, ...]:
    """Return lines with the delivery, file and line in which the shown state of a record is, its status, and the number of its states."""
    where = record.file + (f", line {record.line}" if record.line else "")
    return record.delivery, where, record.status + (f", {record.states} states" if record.states > 1 else "")


def _weigh_pairs_of_records(home: PublishedHome, keys: Sequence[Key]) -> list[PairWeight]:
    """Compute the match weights of all pairs of the records; if there are many records, only of the pairs that the last run stored."""
    if len(keys) < 2:
        return []
    if len(keys) <= MAX_WEIGHED_RECORDS:
        return home.linkage_weights.weigh_pairs(list(combinations(keys, 2)))
    return home.linkage_weights.weigh_pairs([(d.a, d.b) for d in select_pair_decisions(home.decisions, "person", keys, inside=True)])


def _make_link_section(
    records: Sequence[Record],
    labels: Mapping[Key, str],
    pair_weights: Sequence[PairWeight],
    spanning_links: Sequence[tuple[Key, Key, float]],
    *,
    show_names: bool,
) -> Section:
    if len(records) < 2 or not pair_weights:
        return Section("Links between the records", [Text("There are no links.")])
    spanning = {(a, b) for a, b, _ in spanning_links}
    ordered = sorted(pair_weights, key=lambda w: ((w.a, w.b) not in spanning, -w.total))
    shown = ordered[:MAX_PAIRS]
    rows = [
        (f"{labels[w.a]} – {labels[w.b]}", w, "connects the group" if (w.a, w.b) in spanning else _write_note_on_pair_in_one_case_file(w))
        for w in shown
    ]
    left = len(ordered) - len(shown)
    note = (
        "Bits: +1 doubles the odds that both are one person, −1 halves them; – means missing on one side. Zero is even odds. "
        "Where first names differ, what families share (surname, parent, home) has no weight: they could be siblings."
    )
    note += f" {format_count(left, 'weaker pair')} left out." if left else ""
    table = links.make_weight_table(
        "Pairs of records", rows, note=note, highlighted=frozenset(range(len(spanning_links))), outcome_title=""
    )
    charts = [
        links.make_person_waterfall(w, f"{labels[w.a]} – {labels[w.b]}", "", show_names=show_names)
        for w in shown[: min(len(spanning_links), MAX_CHARTS)]
    ]
    return Section("Links between the records", [table], "Coloured rows connect the group; the others are further evidence.", charts)


def _write_note_on_pair_in_one_case_file(pair_weight: PairWeight) -> str:
    return "one file" if pair_weight.one_file else ""


def _make_near_match_section(home: PublishedHome, labels: Mapping[Key, str], *, show_names: bool) -> Section:
    """Make the section with the records of other persons that are most similar to the records of this person.

    It says why they were not joined. labels: the label of each record of this person, by key.
    """
    title = "Near matches, not joined"
    nearest = find_most_similar_records_of_other_persons(home, list(labels))
    if not nearest:
        return Section(title, [Text("There are no near matches.")])
    blocks: list[Block] = []
    others = load_records(home, "person", [w.b for w, _, _ in nearest])
    neighbour_labels = {r.key: f"n{n + 1}" for n, r in enumerate(others)}
    rows = [
        (f"{labels[w.a]} – {neighbour_labels[w.b]}", w, f"{reason} ({person})" if person else reason)
        for w, reason, person in nearest
        if w.b in neighbour_labels
    ]
    if not rows:
        return Section(title, [Text("There are no near matches.")])
    blocks.append(make_person_record_table(others, neighbour_labels, show_names=show_names))
    blocks.append(links.make_weight_table("Weights", rows, outcome_title="why not"))
    return Section(title, blocks, "The nearest records of other persons, each compared with the most similar record of this person.")


def find_most_similar_records_of_other_persons(home: PublishedHome, keys: Sequence[Key]) -> list[tuple[PairWeight, str, str]]:
    """Find for each other person the record that is most similar to a record of this person; the nearest persons are returned.

    keys: the records of this person. Returns for each the weight of the pair (a record of this person, the similar record), why the two
    persons were not joined, and the id of the other person.
    """
    comparable = [k for k in keys if k in home.linkage_weights]
    if not comparable:
        return []
    not_joined = select_pair_decisions(home.decisions, "person", comparable, inside=False)
    members = set(comparable)
    pairs = [(d.a, d.b) if d.a in members else (d.b, d.a) for d in not_joined]
    pairs += [(a, b) for b in home.linkage_weights.list_other_records_in_cases(comparable) for a in comparable]
    best: dict[str, PairWeight] = {}
    person_by_record = _map_records_to_persons(home)
    for w in home.linkage_weights.weigh_pairs(list(dict.fromkeys(pairs))):
        person = person_by_record.get(w.b, "")
        if w.total >= MIN_NEIGHBOUR_WEIGHT and (person not in best or w.total > best[person].total):
            best[person] = w
    nearest = sorted(best.items(), key=lambda item: -item[1].total)[:MAX_NEIGHBOURS]
    groups = {person: [k for k, p in person_by_record.items() if p == person] for person, _ in nearest}
    return [(w, explain_persons_not_joined(home, w, comparable, groups[person] or [w.b]), person) for person, w in nearest]


def _map_records_to_persons(home: PublishedHome) -> dict[Key, str]:
    persons = home.identities["persons"]
    keys = zip(persons["institution"].astype(str), persons["record_key"].astype(str), strict=True)
    return dict(zip(keys, persons["person_id"].astype(str), strict=True))


def explain_persons_not_joined(home: PublishedHome, pair_weight: PairWeight, group_a: Sequence[Key], group_b: Sequence[Key]) -> str:
    """Say why two persons were not joined.

    pair_weight: the weight of their most similar records. group_a, group_b: all records of the first and of the second person.
    """
    judged_pair = home.find_pair_judged_different("person", group_a, group_b)
    if judged_pair:
        return f"stewards judged {judged_pair[0][1]} and {judged_pair[1][1]} to be two persons"
    if pair_weight.one_file:
        return "rule: one file names them as two persons"
    if pair_weight.unidentifiable:
        return "rule: one of them has no identifying data and is never linked"
    if pair_weight.total <= THRESHOLD:
        return f"the odds are against it, {format_odds(pair_weight.total)}"
    similarity = home.linkage_weights.compute_group_similarity(group_a, group_b)
    if similarity.rule:
        return f"rule: one file names {similarity.rule[0][1]} and {similarity.rule[1][1]} as two persons"
    if similarity.combined <= THRESHOLD:
        return f"this pair is above the threshold, but the groups as wholes are not: {similarity.average:+.1f} bits on average"
    return "its weight is above zero now: its weight in the run differed, or another record prevented the link"


def make_indicator_table(home: PublishedHome, id_column: str, entity_id: str) -> Table:
    """Make the table of the indicators in which a case or person counts. id_column: `case_id` or `person_id`."""
    rows = home.query(
        f"SELECT indicator, day, estimated, case_id, person_id, offence_group, counts_in_quarter, counts_in_year FROM counted "
        f"WHERE {id_column} = ? ORDER BY day, indicator",
        [entity_id],
    )
    other_column = "case_id" if id_column == "person_id" else "person_id"
    columns = [
        Column("indicator"),
        Column("day"),
        Column(other_column.replace("_id", "")),
        Column("offence"),
        Column("counts in", wrap=True),
    ]
    lines = [
        [
            r["indicator"],
            format_day(r["day"]) + (" (imputed)" if r["estimated"] else ""),
            format_value(r[other_column]),
            r["offence_group"].replace("_", " "),
            _describe_counting_periods(r),
        ]
        for r in rows.to_dict("records")
    ]
    return Table("Figures", columns, lines, "" if lines else "Not counted in any published figure.")


def _describe_counting_periods(row: Mapping[Any, Any]) -> str:
    where = [name for name, counts in (("its quarter", row["counts_in_quarter"]), ("its year", row["counts_in_year"])) if counts]
    return " and ".join(where) or "neither: the person counts once per period"
