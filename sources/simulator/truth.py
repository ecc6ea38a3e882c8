"""Writes the folder `truth/`, with the same files and columns as the truth of the samples. It is only used for measuring; a pipeline never
reads it."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from sources.periods import quarters_of
from sources.simulator.codes import find_counted_form_of_exploitation, find_most_serious_group
from sources.simulator.defects import Defect
from sources.simulator.deliveries import INSTITUTIONS, Delivery
from sources.simulator.happened import list_true_events
from sources.simulator.model import World
from sources.simulator.periods import list_quarters
from sources.simulator.reconciliation_truth import build_reconciliation_rows
from sources.simulator.record_statuses import RecordHistory, assign_statuses, build_record_rows
from sources.simulator.records import CaseRecord
from sources.simulator.reported import list_reported_events
from sources.simulator.tally import DIMENSIONS, build_statistics_rows
from sources.simulator.victim_files import BOTH
from sources.simulator.victim_truth import INDICATORS as VICTIM_INDICATORS
from sources.simulator.victim_truth import (
    REPEATED,
    build_victim_reconciliation_rows,
    find_accepted_service_rows,
    list_reported_victim_events,
    list_true_victim_events,
)


def write_truth(folder: Path, world: World, deliveries: list[Delivery], defects: list[Defect], victims: bool = False) -> RecordHistory:
    """Write the truth about a set of deliveries. Return the states of all records, with their status.

    `victims`: whether the victim protection office (ZMNV) and the centres deliver, too.
    """
    folder.mkdir(parents=True)
    history = assign_statuses(deliveries)
    happened = list_true_events(history)
    periods = list_quarters(world.start, world.years)
    missing = _find_quarters_without_delivery(deliveries)
    figures = build_statistics_rows(list_reported_events(history), happened, periods, missing)
    steps = build_reconciliation_rows(world, history)
    if victims:
        rows = find_accepted_service_rows(deliveries)
        on_victims = list_true_victim_events(history, rows)
        of_victims = build_statistics_rows(
            list_reported_victim_events(history, rows), on_victims, periods, missing, VICTIM_INDICATORS, REPEATED
        )
        figures, happened = chain(figures, of_victims), [*happened, *on_victims]
        steps += build_victim_reconciliation_rows(history)
    _write_csv(folder / "statistics.csv", ["indicator", "period", *DIMENSIONS, "as_reported", "harmonised"], figures)
    columns = ["institution", "entity", "record_key", "case_id", "person_id", "delivery", "expected_status", "alt_status"]
    _write_csv(folder / "records.csv", columns, build_record_rows(history))
    columns = ["indicator", "case_id", "person_id", "date", "offence_group", "form"]
    _write_csv(folder / "events.csv", columns, ([e.indicator, e.case_id, e.person, e.day.isoformat(), e.group, e.form] for e in happened))
    _write_csv(
        folder / "reconciliation.csv",
        ["step", "period", "case_id", "person_id", "outcome", "detail"],
        steps,
    )
    _write_cases(folder, history)
    _write_persons(folder, history)
    _write_defects(folder, defects)
    _write_arrival_days(folder, deliveries)
    return history


def _find_quarters_without_delivery(deliveries: list[Delivery]) -> set[tuple[str, str]]:
    """Return the institutions and quarters for which no delivery came."""
    came: dict[tuple[str, str], bool] = defaultdict(bool)
    for delivery in deliveries:
        for quarter in quarters_of(delivery.period):
            came[delivery.institution, quarter] |= not delivery.missing
    return {key for key, whether in came.items() if not whether}


def _write_csv(path: Path, header: list[str], rows: Iterable[Iterable[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _find_offence_group_of_case(record: CaseRecord) -> str:
    """Return the offence group that a case record names, or that of the most serious charge in it."""
    if "group" in record.true:
        return record.true["group"]
    return find_most_serious_group(
        part.true["group"] for person in record.persons if person.true["role"] == "suspect" for part in person.charges
    )


def _find_form_of_exploitation_of_case(record: CaseRecord, group: str) -> str:
    """Return the form of a case. It is empty for institutions that state no form; only police, prosecution and the institutions for victims
    do."""
    if record.institution in ("police", *BOTH):
        return find_counted_form_of_exploitation(group, record.true["form"])
    if record.institution != "prosecution":
        return ""
    forms = [part.true["form"] for person in record.persons for part in person.charges if part.true["form"]]
    return find_counted_form_of_exploitation(group, forms[0] if forms else None)


def _write_cases(folder: Path, history: RecordHistory) -> None:
    rows = []
    for institution in (*INSTITUTIONS, *BOTH):
        for record in history.list_all_accepted_cases(institution):
            group = _find_offence_group_of_case(record)
            opened = record.true["registered"].isoformat()
            form = _find_form_of_exploitation_of_case(record, group)
            rows.append([institution, record.key, record.case_id, opened, group, form, record.upstream, record.as_of.isoformat()])
    columns = ["institution", "record_key", "case_id", "opened", "offence_group", "form", "upstream", "state_as_of"]
    _write_csv(folder / "cases.csv", columns, rows)


def _write_persons(folder: Path, history: RecordHistory) -> None:
    persons = {
        state.person.person.person_id: state.person.person for state in history.states if state.person and not state.person.person.unknown
    }
    columns = ["person_id", "given_name", "surname", "parent_name", "maiden_name", "personal_number", "date_of_birth", "sex", "citizenship"]
    columns += ["community", "municipality", "birthplace"]
    rows = [
        [
            key,
            p.given,
            p.surname,
            p.parent,
            p.maiden,
            p.number,
            p.born.isoformat(),
            p.sex,
            p.citizenship,
            p.community,
            p.municipality,
            p.birthplace,
        ]
        for key, p in sorted(persons.items())
    ]
    _write_csv(folder / "persons.csv", columns, rows)


def _write_defects(folder: Path, defects: list[Defect]) -> None:
    columns = ["institution", "delivery", "record_key", "kind", "field", "true_value", "delivered_value", "note"]
    _write_csv(folder / "defects.csv", columns, ([getattr(defect, name) for name in columns] for defect in defects))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for defect in defects:
        counts[defect.kind][defect.institution] += 1
    text = json.dumps({kind: dict(sorted(by.items())) for kind, by in sorted(counts.items())}, indent=1)
    (folder / "defect_counts.json").write_text(text, encoding="utf-8")


def _write_arrival_days(folder: Path, deliveries: list[Delivery]) -> None:
    came = sorted((d for d in deliveries if not d.missing), key=lambda d: (d.arrived, d.institution, d.version))
    rows = [[i, d.arrived.isoformat(), d.institution, d.name, d.note] for i, d in enumerate(came, 1)]
    _write_csv(folder / "arrivals.csv", ["seq", "arrived", "institution", "delivery", "note"], rows)
