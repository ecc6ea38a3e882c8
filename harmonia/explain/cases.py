"""Explain a case: its files side by side, their links, its persons, near matches, judgements, history.

Belongs here: what the page of a case shows. The match weights are those that the last run stored: they cannot be computed for one case
alone, since the evidence of dates and codes depends on all files of a run. Does not belong here: layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from harmonia.console import format_count
from harmonia.explain import links
from harmonia.explain.document import Block, Cell, Column, Explanation, Section, Step, Table, Text, Waterfall
from harmonia.explain.ids import ResolvedEntity
from harmonia.explain.labels import find_evidence_description, find_label, format_odds, format_value, make_letter_label
from harmonia.explain.linkage import THRESHOLD, PairDecision, describe_evidence_kinds, select_pair_decisions
from harmonia.explain.people import (
    MAX_CHARTS,
    MAX_NEIGHBOURS,
    MAX_PAIRS,
    list_lines_on_delivery,
    list_member_keys,
    make_indicator_table,
    make_redirect_notice,
    write_source_note,
)
from harmonia.explain.published import Key, PublishedHome
from harmonia.explain.records import Record, load_records


def explain_case(home: PublishedHome, resolved_case: ResolvedEntity, *, show_names: bool) -> Explanation:
    """Make the explanation of a case. show_names: include the names of its persons, for stewards."""
    keys = list_member_keys(home, resolved_case)
    records = load_records(home, "case", keys)
    described_keys = {r.key for r in records}
    labels = {r.key: make_letter_label(n) for n, r in enumerate(records)}
    labels |= {key: make_letter_label(len(labels) + n) for n, key in enumerate(k for k in keys if k not in described_keys)}
    inside = [d for d in select_pair_decisions(home.decisions, "case", keys, inside=True) if d.joined] if keys else []
    tree = links.select_spanning_links((d.a, d.b, d.weight) for d in inside)
    people = home.query(
        "SELECT person_id, institution, record_key FROM lineage WHERE case_id = ? AND entity = 'person' AND status = 'accepted' "
        "ORDER BY person_id, institution, record_key",
        [resolved_case.entity.id],
    )
    facts = [
        ("case", resolved_case.entity.id),
        ("files", str(len(keys))),
        ("institutions", ", ".join(dict.fromkeys(k[0] for k in keys)) or "–"),
        ("persons", str(people["person_id"].nunique())),
        ("linkage model of the run", home.model_of_last_run),
    ]
    sections = [
        Section("Files side by side", [make_case_file_table(records, labels)], "The accepted state of each, else the latest."),
        _make_link_section(labels, inside, tree),
        Section("Persons in the case", [_make_persons_table(home, people, show_names=show_names)]),
        _make_near_match_section(home, labels),
        Section("Judgements", links.make_judgement_table(home, "case", keys, labels)),
        Section("Where the case counts", [make_indicator_table(home, "case_id", resolved_case.entity.id)]),
        Section("Reconciliation with neighbouring institutions", [_make_reconciliation_table(home, resolved_case.entity.id)]),
        Section("The id and its history", [links.make_id_history(home, resolved_case.entity)]),
    ]
    return Explanation(
        f"Case {resolved_case.entity.id}",
        facts,
        _summarise_case(resolved_case, keys, tree),
        sections,
        show_names,
        write_source_note(home, show_names=show_names),
        resolved_case.entity.id,
    )


def _summarise_case(
    resolved_case: ResolvedEntity, record_keys: Sequence[Key], spanning_links: Sequence[tuple[Key, Key, float]]
) -> list[Text]:
    summary = make_redirect_notice(resolved_case)
    if not record_keys:
        return [*summary, Text("This id has no files now: they moved to another id or are no longer delivered.", "notice")]
    if len(record_keys) == 1:
        return [*summary, Text("One file only; no other file was linked to it.")]
    weakest = min((w for _, _, w in spanning_links), default=0.0)
    sentence = (
        f"{format_count(len(record_keys), 'file')} connected by {format_count(len(spanning_links), 'link')}; "
        f"the weakest weighs {weakest:+.1f} bits ({format_odds(weakest)})."
    )
    return [*summary, Text(sentence, "good" if weakest > THRESHOLD else "notice")]


def make_case_file_table(records: Sequence[Record], labels: Mapping[Key, str]) -> Table:
    """Make a table with one row per case record."""
    titles = ("offence", "dates", "numbers cited", "delivered in")
    columns = [Column(""), Column("record"), Column("seat"), Column("stage"), *(Column(title, wrap=title == "offence") for title in titles)]
    rows = [_make_case_file_row(r, labels[r.key]) for r in records]
    return Table("The files", columns, rows)


def _make_case_file_row(case_record: Record, label: str) -> list[Cell]:
    merged = case_record.get_text("merged_into")
    stage = case_record.get_text("state") + (f" into {merged}" if merged else "")
    return [
        label,
        case_record.key,
        case_record.get_text("seat"),
        stage,
        case_record.offence,
        case_record.dates,
        case_record.references,
        list_lines_on_delivery(case_record),
    ]


def _make_link_section(
    labels: Mapping[Key, str], joined_pairs: Sequence[PairDecision], spanning_links: Sequence[tuple[Key, Key, float]]
) -> Section:
    title = "Links between the files"
    if not joined_pairs:
        return Section(title, [Text("There are no links.")])
    spanning = {(a, b) for a, b, _ in spanning_links}
    ordered = sorted(joined_pairs, key=lambda d: ((d.a, d.b) not in spanning, -d.weight))
    shown = ordered[:MAX_PAIRS]
    rows = [(f"{labels[d.a]} – {labels[d.b]}", dict(d.reasons), d.weight, "") for d in shown]
    left = len(ordered) - len(shown)
    note = "Bits: +1 doubles the odds that both are one case, −1 halves them. Zero is even odds. Weights as stored by the last run."
    note += f" {format_count(left, 'weaker pair')} left out." if left else ""
    table = links.make_reasons_table("Pairs of files", rows, note=note, highlighted=frozenset(range(len(spanning_links))))
    charts = [make_case_waterfall(d, f"{labels[d.a]} – {labels[d.b]}") for d in shown[: min(len(spanning_links), MAX_CHARTS)]]
    return Section(title, [table], "Coloured rows connect the group; the others are further evidence.", charts)


def make_case_waterfall(decision: PairDecision, title: str, verdict: str = "") -> Waterfall:
    """Make the waterfall chart of a pair of files: the prior odds, then each kind of evidence, then their sum."""
    reasons = dict(decision.reasons)
    prior = reasons.pop("prior", 0.0)
    steps = [Step(get_label_of_evidence_kind(name), bits, describe_evidence_kind(name)) for name, bits in reasons.items()]
    rest = decision.weight - prior - sum(reasons.values())
    if abs(rest) >= 0.05:
        steps.append(Step(find_label("evidence", "rest"), rest))
    before = "among all files of that institution"
    return Waterfall(
        title,
        Step(find_label("evidence", "prior"), prior, before),
        steps,
        "one case?",
        threshold=THRESHOLD,
        verdict=verdict or format_odds(decision.weight),
    )


def get_label_of_evidence_kind(evidence_kind: str) -> str:
    """Return the label of a kind of evidence, for charts."""
    description = describe_evidence_kinds().get(evidence_kind, "")
    return description if description.startswith("days") else find_label("evidence", evidence_kind)


def describe_evidence_kind(evidence_kind: str) -> str:
    """Return a short description of a kind of evidence; empty if it is the same as its label."""
    meaning = find_evidence_description(evidence_kind) or describe_evidence_kinds().get(evidence_kind, "")
    return "" if meaning == get_label_of_evidence_kind(evidence_kind) else meaning


def _make_persons_table(home: PublishedHome, person_rows_of_case: pd.DataFrame, *, show_names: bool) -> Table:
    described = {r.key: r for r in load_records(home, "person", [(r[1], r[2]) for r in person_rows_of_case.itertuples(index=False)])}
    columns = [
        Column("person"),
        *([Column("names as delivered", wrap=True)] if show_names else []),
        Column("role", wrap=True),
        Column("sex"),
        Column("records", wrap=True),
    ]
    rows: list[list[Cell]] = []
    for person, person_rows in person_rows_of_case.groupby(person_rows_of_case["person_id"].fillna("unknown persons"), sort=True):
        person_records = [
            described[key] for key in zip(person_rows["institution"], person_rows["record_key"], strict=True) if key in described
        ]
        shown = [", ".join(dict.fromkeys(r.get_text("full_name") for r in person_records))] if show_names else []
        role, sex = (", ".join(dict.fromkeys(filter(None, (r.get_text(c) for r in person_records)))) for c in ("role", "sex"))
        rows.append([str(person), *shown, role, sex, ", ".join(r.name for r in person_records)])
    return Table("Persons", columns, rows)


def _make_near_match_section(home: PublishedHome, labels: Mapping[Key, str]) -> Section:
    """Make the section with the files of other cases that are most similar to the files of this case.

    labels: the label of each file of this case, by key.
    """
    title = "Near matches, not joined"
    not_joined = [d for d in select_pair_decisions(home.decisions, "case", list(labels), inside=False) if not d.joined] if labels else []
    case_by_record = _map_records_to_cases(home)
    best: dict[str, tuple[PairDecision, Key, Key]] = {}
    for d in not_joined:
        own_key, neighbour_key = (d.a, d.b) if d.a in labels else (d.b, d.a)
        best.setdefault(case_by_record.get(neighbour_key, ":".join(neighbour_key)), (d, own_key, neighbour_key))
    nearest = list(best.items())[:MAX_NEIGHBOURS]
    if not nearest:
        return Section(title, [Text("There are no near matches.")])
    others = load_records(home, "case", [neighbour_key for _, (_, _, neighbour_key) in nearest])
    neighbour_labels = {r.key: f"n{n + 1}" for n, r in enumerate(others)}
    rows = []
    for case, (d, own_key, neighbour_key) in nearest:
        reason = explain_cases_not_joined(
            home, d, list(labels), [key for key, owner in case_by_record.items() if owner == case] or [neighbour_key]
        )
        rows.append(
            (
                f"{labels[own_key]} – {neighbour_labels.get(neighbour_key, ':'.join(neighbour_key))}",
                dict(d.reasons),
                d.weight,
                f"{reason} ({case})",
            )
        )
    blocks: list[Block] = [
        make_case_file_table(others, neighbour_labels),
        links.make_reasons_table("Weights", rows, outcome_title="why not"),
    ]
    return Section(title, blocks, "The nearest files of other cases, each compared with the most similar file of this case.")


def explain_cases_not_joined(home: PublishedHome, decision: PairDecision, group_a: Sequence[Key], group_b: Sequence[Key]) -> str:
    """Say why two files were not joined.

    decision: the decision on the pair. group_a, group_b: all files of the two cases to which the two files belong.
    """
    judged_pair = home.find_pair_judged_different("case", group_a, group_b)
    if judged_pair:
        return f"stewards judged {judged_pair[0][1]} and {judged_pair[1][1]} to be two cases"
    if decision.weight <= THRESHOLD:
        return f"the odds are against it, {format_odds(decision.weight)}"
    return "this pair is above the threshold, but the two cases as wholes are not: both have files at that stage, or the rest disagrees"


def _map_records_to_cases(home: PublishedHome) -> dict[Key, str]:
    cases = home.identities["cases"]
    keys = zip(cases["institution"].astype(str), cases["record_key"].astype(str), strict=True)
    return dict(zip(keys, cases["case_id"].astype(str), strict=True))


def _make_reconciliation_table(home: PublishedHome, case_id: str) -> Table:
    rows = home.query(
        "SELECT step, period, person_id, outcome, differs, detail FROM reconciliation WHERE case_id = ? ORDER BY step, period", [case_id]
    )
    columns = [Column("step"), Column("period"), Column("person"), Column("outcome"), Column("differs"), Column("detail", wrap=True)]
    lines = [
        [
            r["step"].replace("_", " → "),
            format_value(r["period"]),
            format_value(r["person_id"]),
            r["outcome"].replace("_", " "),
            format_value(r["differs"]),
            format_value(r["detail"]),
        ]
        for r in rows.to_dict("records")
    ]
    return Table("Reconciliation", columns, lines, "" if lines else "This case is expected at only one institution.")
