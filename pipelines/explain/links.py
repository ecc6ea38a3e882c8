"""How the records of one person or case hang together.

Belongs here: which links carry a group, tables and charts of weights, what happened to an id, what stewards said. Does not belong here:
the weights themselves (`linkage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines.console import count
from pipelines.explain.document import Bits, Cell, Column, Step, Table, Text, Waterfall
from pipelines.explain.linkage import THRESHOLD, Weighing
from pipelines.explain.published import Key, Published
from pipelines.explain.words import odds, word
from pipelines.registry.tables import Entity, Judgement


def carrying(pairs: Iterable[tuple[Key, Key, float]]) -> list[tuple[Key, Key, float]]:
    """The links that carry a group: of all pairs the heaviest that join what is not joined yet (a maximum spanning tree)."""
    root: dict[Key, Key] = {}

    def top(key: Key) -> Key:
        while root.setdefault(key, key) != key:
            key = root[key]
        return key

    out = []
    for a, b, weight in sorted(pairs, key=lambda p: (-p[2], p[0], p[1])):
        if top(a) != top(b):
            root[top(a)] = top(b)
            out.append((a, b, weight))
    return out


def step_detail(w: Weighing, *, names: bool) -> dict[str, str]:
    """What each field reached, in words; with the compared values for stewards."""
    out = {}
    for f in w.fields:
        said = "missing on a side" if f.level is None else word("levels", f.level)
        if f.exchanged:
            said += ", names in exchanged places"
        if f.of_family:
            said += ", as families share it and first names differ"
        if (names or not f.personal) and f.level is not None and any(f.values):
            said += f": {f.values[0]} | {f.values[1]}" if f.values[0] != f.values[1] else f": {f.values[0]}"
        out[f.name] = said
    return out


def person_waterfall(w: Weighing, title: str, verdict: str, *, names: bool) -> Waterfall:
    """Prior odds, each field, sum. Fields that were missing are left out."""
    said = step_detail(w, names=names)
    steps = [Step(word("fields", f.name), f.bits, said[f.name]) for f in w.fields if f.level is not None]
    before = "files of one case" if w.within else "files of different cases"
    return Waterfall(
        title, Step("odds before", w.prior, before), steps, "one person?", threshold=THRESHOLD, verdict=verdict or odds(w.total)
    )


def weight_table(
    caption: str, rows: Sequence[tuple[str, Weighing, str]], *, note: str = "", marked: frozenset[int] = frozenset(), last: str = ""
) -> Table:
    """A row a pair of person records, a column a field: the weights side by side. `rows`: label, weighing, what came of it."""
    every = [f.name for f in rows[0][1].fields]
    fields = [name for n, name in enumerate(every) if any(w.fields[n].level is not None for _, w, _ in rows)]
    columns = [Column("pair"), Column("odds before", number=True), *(Column(word("fields", f).split(" (")[0], number=True) for f in fields)]
    columns += [Column("sum", number=True), *([Column(last, wrap=True)] if last else [])]
    cells: list[list[Cell]] = []
    for label, w, said in rows:
        by_name = {f.name: f for f in w.fields}
        line: list[Cell] = [label, Bits(w.prior)]
        line += [Bits(None if by_name[f].level is None else by_name[f].bits, word("levels", by_name[f].level or "missing")) for f in fields]
        cells.append([*line, Bits(w.total), *([said] if last else [])])
    return Table(caption, columns, cells, note, marked)


def reasons_table(
    caption: str,
    rows: Sequence[tuple[str, Mapping[str, float], float, str]],
    *,
    note: str = "",
    marked: frozenset[int] = frozenset(),
    last: str = "",
) -> Table:
    """A row a pair of files, a column a kind of evidence that any of them has: as written down by the run that decided."""
    seen: dict[str, float] = {}
    for _, evidence, _, _ in rows:
        for name, bits in evidence.items():
            seen[name] = max(seen.get(name, 0.0), abs(bits))
    dates = {name for name in seen if word("evidence", name) == name.replace("_", " ")}
    kinds = sorted((name for name in seen if name not in dates), key=lambda name: (name != "prior", -seen[name]))
    columns = [Column("pair"), *(Column(word("evidence", name), number=True) for name in kinds)]
    columns += [Column("days and the rest", number=True), Column("sum", number=True), *([Column(last, wrap=True)] if last else [])]
    cells: list[list[Cell]] = []
    for label, evidence, total, said in rows:
        known = {name: bits for name, bits in evidence.items() if name in kinds}
        line: list[Cell] = [label, *(Bits(known.get(name)) for name in kinds), Bits(total - sum(known.values())), Bits(total)]
        cells.append([*line, *([said] if last else [])])
    return Table(caption, columns, cells, note, marked)


def judgement_table(home: Published, kind: str, keys: Sequence[Key], names: Mapping[Key, str]) -> list[Table | Text]:
    """What stewards said about these records: all of it, the last word of each steward on a pair marked."""
    found = home.judgements(kind, keys)
    if not found:
        return [Text("No steward has said anything about these records: all of it was decided by weights and rules.")]
    last = {(" ".join(j.steward.casefold().split()), *_pair(j)): n for n, j in enumerate(found)}
    standing: dict[tuple[Key, Key], set[str]] = {}
    for n in last.values():
        standing.setdefault(_pair(found[n]), set()).add(found[n].verdict)
    rows = []
    for n, j in enumerate(found):
        state = "undone later" if n not in last.values() else "takes back what was said" if j.verdict == "withdrawn" else "stands"
        rows.append((_called(j, names), j.verdict, j.steward, f"{j.decided_at:%Y-%m-%d %H:%M}", j.why, state))
    columns = [Column("records"), Column("judgement"), Column("steward"), Column("when"), Column("why", wrap=True), Column("state")]
    out: list[Table | Text] = [Table("Judgements by stewards", columns, rows, marked=frozenset(last.values()))]
    disputed = sum({"same", "different"} <= verdicts for verdicts in standing.values())
    if disputed:
        out.append(Text(f"Stewards disagree about {count(disputed, 'pair')}.", "bad"))
    return out


def _pair(j: Judgement) -> tuple[Key, Key]:
    a, b = sorted([(j.institution_a, j.record_key_a), (j.institution_b, j.record_key_b)])
    return a, b


def _called(j: Judgement, names: Mapping[Key, str]) -> str:
    return " – ".join(
        names.get(key, f"{key[0]}:{key[1]}") for key in ((j.institution_a, j.record_key_a), (j.institution_b, j.record_key_b))
    )


def history(home: Published, entity: Entity) -> Table:
    """What happened to an id: minted, other ids that lead to it, records that came and went."""
    older = home.redirected_to(entity.id)
    rows: list[tuple[object, str]] = [(entity.minted_at, f"{entity.id} minted")]
    rows += [(e.minted_at, f"{e.id} minted; it was later found to be {e.redirect_to} and leads there") for e in older]
    for member in home.memberships([entity.id, *(e.id for e in older)]):
        where = f"{member.institution}:{member.record_key}"
        rows.append((member.since, f"{where} joined {member.entity_id}"))
        if member.until is not None:
            rows.append((member.until, f"{where} left {member.entity_id}"))
    grouped: dict[tuple[str, str], list[str]] = {}
    for moment, said in sorted(rows, key=lambda row: str(row[0])):
        stamp = f"{moment:%Y-%m-%d %H:%M}"
        verb = next((v for v in (" joined ", " left ") if v in said), "")
        what = verb + said.split(verb)[1] if verb else said
        grouped.setdefault((stamp, what), []).append(said.split(verb)[0] if verb else "")
    lines = [
        (stamp, (count(len(who), "record") + what + ": " + ", ".join(who)) if who[0] else what) for (stamp, what), who in grouped.items()
    ]
    return Table("What happened to the id", [Column("when (UTC)"), Column("what", wrap=True)], lines)
