"""Tables and charts about the links between the records of one person or case.

Belongs here: the links that connect a group of records, match weights, judgements of stewards, the history of an id. Does not belong
here: computing weights (`linkage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harmonia.console import format_count
from harmonia.explain.document import Cell, Column, MatchWeight, Step, Table, Text, Waterfall
from harmonia.explain.labels import find_label, format_odds
from harmonia.explain.linkage import THRESHOLD, PairWeight
from harmonia.explain.published import Key, PublishedHome
from harmonia.registry.tables import Entity, Judgement


def select_spanning_links(pairs: Iterable[tuple[Key, Key, float]]) -> list[tuple[Key, Key, float]]:
    """Select the strongest links that suffice to connect the records of a group (a maximum spanning tree).

    pairs: each link, as two records and their match weight.
    """
    root: dict[Key, Key] = {}

    def find_root(key: Key) -> Key:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    out = []
    for a, b, weight in sorted(pairs, key=lambda p: (-p[2], p[0], p[1])):
        if find_root(a) != find_root(b):
            root[find_root(a)] = find_root(b)
            out.append((a, b, weight))
    return out


def describe_agreement(pair_weight: PairWeight, *, show_names: bool) -> dict[str, str]:
    """Describe in words how the two records of a pair agree in each field; the result maps the name of a field to its text.

    show_names: whether to include values that identify a person.
    """
    out = {}
    for f in pair_weight.fields:
        detail = "missing on one side" if f.level is None else find_label("levels", f.level)
        if f.exchanged:
            detail += ", given name and surname exchanged"
        if f.shared_by_family:
            detail += ", as families share it and first names differ"
        if (show_names or not f.personal) and f.level is not None and any(f.values):
            detail += f": {f.values[0]} | {f.values[1]}" if f.values[0] != f.values[1] else f": {f.values[0]}"
        out[f.name] = detail
    return out


def make_person_waterfall(pair_weight: PairWeight, title: str, verdict: str, *, show_names: bool) -> Waterfall:
    """Make the chart that leads from the prior odds, through the weight of each field, to their sum.

    Fields of which a record has no value are left out.
    """
    details = describe_agreement(pair_weight, show_names=show_names)
    steps = [Step(find_label("fields", f.name), f.bits, details[f.name]) for f in pair_weight.fields if f.level is not None]
    before = "files of one case" if pair_weight.same_case else "files of different cases"
    return Waterfall(
        title,
        Step("prior odds", pair_weight.prior, before),
        steps,
        "one person?",
        threshold=THRESHOLD,
        verdict=verdict or format_odds(pair_weight.total),
    )


def make_weight_table(
    caption: str,
    rows: Sequence[tuple[str, PairWeight, str]],
    *,
    note: str = "",
    highlighted: frozenset[int] = frozenset(),
    outcome_title: str = "",
) -> Table:
    """Make a table with one row per pair of person records and one column per field.

    rows: label, weights and outcome of each pair. outcome_title: title of the column with the outcome; without it, there is no such
    column.
    """
    field_names = [f.name for f in rows[0][1].fields]
    fields = [name for n, name in enumerate(field_names) if any(w.fields[n].level is not None for _, w, _ in rows)]
    columns = [
        Column("pair"),
        Column("prior odds", number=True),
        *(Column(find_label("fields", f).split(" (")[0], number=True) for f in fields),
    ]
    columns += [Column("sum", number=True), *([Column(outcome_title, wrap=True)] if outcome_title else [])]
    cells: list[list[Cell]] = []
    for label, w, outcome in rows:
        by_name = {f.name: f for f in w.fields}
        line: list[Cell] = [label, MatchWeight(w.prior)]
        line += [
            MatchWeight(None if by_name[f].level is None else by_name[f].bits, find_label("levels", by_name[f].level or "missing"))
            for f in fields
        ]
        cells.append([*line, MatchWeight(w.total), *([outcome] if outcome_title else [])])
    return Table(caption, columns, cells, note, highlighted)


def make_reasons_table(
    caption: str,
    rows: Sequence[tuple[str, Mapping[str, float], float, str]],
    *,
    note: str = "",
    highlighted: frozenset[int] = frozenset(),
    outcome_title: str = "",
) -> Table:
    """Make a table with one row per pair of files and one column per kind of evidence, with the weights that the last run stored.

    rows: for each pair its label, the bits of each kind of evidence, their sum, and the outcome. outcome_title: title of the column with
    the outcome; without it, there is no such column.
    """
    largest: dict[str, float] = {}
    for _, evidence, _, _ in rows:
        for name, bits in evidence.items():
            largest[name] = max(largest.get(name, 0.0), abs(bits))
    dates = {name for name in largest if find_label("evidence", name) == name.replace("_", " ")}
    kinds = sorted((name for name in largest if name not in dates), key=lambda name: (name != "prior", -largest[name]))
    columns = [Column("pair"), *(Column(find_label("evidence", name), number=True) for name in kinds)]
    columns += [
        Column("days and the rest", number=True),
        Column("sum", number=True),
        *([Column(outcome_title, wrap=True)] if outcome_title else []),
    ]
    cells: list[list[Cell]] = []
    for label, evidence, total, outcome in rows:
        shown = {name: bits for name, bits in evidence.items() if name in kinds}
        line: list[Cell] = [
            label,
            *(MatchWeight(shown.get(name)) for name in kinds),
            MatchWeight(total - sum(shown.values())),
            MatchWeight(total),
        ]
        cells.append([*line, *([outcome] if outcome_title else [])])
    return Table(caption, columns, cells, note, highlighted)


def make_judgement_table(home: PublishedHome, kind: str, keys: Sequence[Key], record_labels: Mapping[Key, str]) -> list[Table | Text]:
    """Make the table of all judgements of stewards on pairs that contain one of the records `keys`.

    The latest judgement of each steward on a pair is highlighted. If stewards disagree, a sentence follows the table.
    """
    judgements = home.list_judgements_on_records(kind, keys)
    if not judgements:
        return [Text("There are no judgements on these records: weights and rules decided.")]
    last = {(" ".join(j.steward.casefold().split()), *_find_judged_pair(j)): n for n, j in enumerate(judgements)}
    current: dict[tuple[Key, Key], set[str]] = {}
    for n in last.values():
        current.setdefault(_find_judged_pair(judgements[n]), set()).add(judgements[n].verdict)
    rows = []
    for n, j in enumerate(judgements):
        state = "superseded" if n not in last.values() else "withdrawal" if j.verdict == "withdrawn" else "current"
        rows.append((_format_judged_pair(j, record_labels), j.verdict, j.steward, f"{j.decided_at:%Y-%m-%d %H:%M}", j.why, state))
    columns = [Column("records"), Column("judgement"), Column("steward"), Column("when"), Column("why", wrap=True), Column("state")]
    out: list[Table | Text] = [Table("Judgements by stewards", columns, rows, highlighted=frozenset(last.values()))]
    disputed = sum({"same", "different"} <= verdicts for verdicts in current.values())
    if disputed:
        out.append(Text(f"Stewards disagree about {format_count(disputed, 'pair')}.", "bad"))
    return out


def _find_judged_pair(judgement: Judgement) -> tuple[Key, Key]:
    a, b = sorted([(judgement.institution_a, judgement.record_key_a), (judgement.institution_b, judgement.record_key_b)])
    return a, b


def _format_judged_pair(judgement: Judgement, record_labels: Mapping[Key, str]) -> str:
    return " – ".join(
        record_labels.get(key, f"{key[0]}:{key[1]}")
        for key in ((judgement.institution_a, judgement.record_key_a), (judgement.institution_b, judgement.record_key_b))
    )


def make_id_history(home: PublishedHome, entity: Entity) -> Table:
    """Make the table of the history of an id: when it was created, which ids redirect to it, which records joined and left it."""
    redirected = home.list_redirected_to(entity.id)
    rows: list[tuple[object, str]] = [(entity.minted_at, f"{entity.id} minted")]
    rows += [(e.minted_at, f"{e.id} minted; later merged into {e.redirect_to}") for e in redirected]
    for member in home.list_memberships([entity.id, *(e.id for e in redirected)]):
        where = f"{member.institution}:{member.record_key}"
        rows.append((member.since, f"{where} joined {member.entity_id}"))
        if member.until is not None:
            rows.append((member.until, f"{where} left {member.entity_id}"))
    grouped: dict[tuple[str, str], list[str]] = {}
    for moment, event in sorted(rows, key=lambda row: str(row[0])):
        time = f"{moment:%Y-%m-%d %H:%M}"
        verb = next((v for v in (" joined ", " left ") if v in event), "")
        action = verb + event.split(verb)[1] if verb else event
        grouped.setdefault((time, action), []).append(event.split(verb)[0] if verb else "")
    lines = [
        (time, (format_count(len(records), "record") + action + ": " + ", ".join(records)) if records[0] else action)
        for (time, action), records in grouped.items()
    ]
    return Table("History", [Column("when (UTC)"), Column("what", wrap=True)], lines)
