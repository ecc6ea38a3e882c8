"""Which cases or persons two neighbouring institutions should both know, and whether they do (counting-rules.md, "Reconciliation").

A case or person is looked for in all accepted records of both institutions. `period` is the quarter of the event at the earlier institution
(upstream) or, without such an event, at the later one (downstream). `detail` tells why the case or person is missing at one of them in the
world.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from sources.periods import first_day, last_day
from sources.simulator.model import Case, World
from sources.simulator.periods import find_quarter_of_day, list_quarters
from sources.simulator.record_statuses import RecordHistory

Row = list[str]


def _find_earliest_day_of_cases(pairs: list[tuple[str, date | None]]) -> dict[str, date | None]:
    """Return the earliest day of each case. The day is None if records of the case exist, but none has the event."""
    found: dict[str, date | None] = {}
    for case_id, day in pairs:
        known = found.get(case_id)
        found[case_id] = day if known is None else min(known, day or known)
    return found


def build_reconciliation_rows(world: World, history: RecordHistory) -> list[Row]:
    """Return the rows of `reconciliation.csv`, with the columns step, period, case, person, outcome and detail."""
    periods = list_quarters(world.start, world.years)
    first, last = first_day(periods[0]), last_day(periods[-1])
    cases = {case.case_id: case for case in world.cases}
    rows: list[Row] = []
    for sender, source in (("police", "PK"), ("inspectorate", "IPK")):
        sent = _find_earliest_day_of_cases([(record.case_id, record.true["sent"]) for record in history.list_counted_cases(sender)])
        received = _find_earliest_day_of_cases(
            [(r.case_id, r.true["registered"]) for r in history.list_counted_cases("prosecution") if r.true["source"] == source]
        )
        for case_id in sorted({*sent, *received}):
            if case_id not in received and sent[case_id] is None:
                continue
            why = _explain_why_case_was_not_received(cases[case_id], first, last)
            rows.append(
                _build_reconciliation_row(f"{sender}_prosecution", case_id, "", sent, received, why, f"no {sender} delivery holds the case")
            )
    rows += _reconcile_courts(history, cases, first, last)
    rows += _reconcile_prisons(history, cases, last)
    return rows


def _build_reconciliation_row(
    step: str,
    case_id: str,
    person: str,
    upstream: dict[str, date | None],
    downstream: dict[str, date | None],
    no_downstream: str,
    no_upstream: str,
    key: str = "",
) -> Row:
    """Return one row. `upstream` and `downstream` have the day of the event at each institution, by case or person; `no_downstream` and
    `no_upstream` are the details if it is missing there."""
    key = key or case_id
    day = upstream.get(key) or downstream.get(key)
    period = find_quarter_of_day(day) if day else ""
    if key in upstream and key in downstream:
        return [step, period, case_id, person, "matched", ""]
    if key in upstream:
        return [step, period, case_id, person, "missing_downstream", no_downstream]
    return [step, period, case_id, person, "missing_upstream", no_upstream]


def _explain_why_case_was_not_received(case: Case, first: date, last: date) -> str:
    if not case.prosecution:
        return "lost"
    return _describe_time_of_event(
        min(file.received for file in case.prosecution), first, last, "received", "no prosecution delivery holds the case"
    )


def _describe_time_of_event(day: date, first: date, last: date, verb: str, otherwise: str) -> str:
    """Return a text that says that an event was before the first or after the last delivery. Return `otherwise` if it was neither."""
    if day > last:
        return f"{verb} after the last delivery"
    return f"{verb} before the first delivery" if day < first else otherwise


def _reconcile_courts(history: RecordHistory, cases: dict[str, Case], first: date, last: date) -> list[Row]:
    """Compare, for each case, indictments with the receipt of the case at the courts."""
    indicted = _find_earliest_day_of_cases(
        [
            (record.case_id, min((p.true["day"] for p in record.decisions if p.true["kind"] == "AKT"), default=None))
            for record in history.list_counted_cases("prosecution")
        ]
    )
    received = _find_earliest_day_of_cases([(record.case_id, record.true["registered"]) for record in history.list_counted_cases("courts")])
    rows = []
    for case_id in sorted({*indicted, *received}):
        if case_id not in received and indicted[case_id] is None:
            continue
        files = cases[case_id].courts
        why = "lost"
        if files:
            why = _describe_time_of_event(min(file.received for file in files), first, last, "received", "no court delivery holds the case")
        rows.append(
            _build_reconciliation_row("prosecution_courts", case_id, "", indicted, received, why, "no prosecution delivery holds the case")
        )
    return rows


def _reconcile_prisons(history: RecordHistory, cases: dict[str, Case], last: date) -> list[Row]:
    """Compare, for each person in a case, final sentences to imprisonment with admissions as a convict."""
    sentenced: dict[str, date | None] = {}
    tried: set[str] = set()
    for person, record, _ in history.list_counted_persons("courts"):
        key = f"{record.case_id} {person.person.person_id}"
        tried.add(key)
        judgments = sorted((part.true for part in person.judgments), key=lambda true: true["day"])
        if judgments and judgments[-1]["kind"] == "DEN" and judgments[-1]["final"] and judgments[-1]["prison"]:
            sentenced[key] = min(sentenced.get(key) or date.max, judgments[-1]["final"])
    admitted: dict[str, date | None] = defaultdict(lambda: None)
    for person, record, _ in history.list_counted_persons("corrections"):
        if record.true["status"] == "D":
            key = f"{record.case_id} {person.person.person_id}"
            admitted[key] = min(admitted[key] or date.max, record.true["registered"])
    for key in admitted:
        if key in tried:  # known to both, even if the delivered judgment is not final yet
            sentenced.setdefault(key, None)
    rows = []
    for key in sorted({*sentenced, *admitted}):
        case_id, person_id = key.split()
        stays = [stay for stay in cases[case_id].stays if stay.status == "D" and stay.person.person_id == person_id]
        why = "never admitted"
        if stays:
            day = min(stay.admitted for stay in stays)
            why = "admitted after the last delivery" if day > last else "no corrections delivery holds the admission"
        none = "no court delivery holds the final judgment"
        rows.append(_build_reconciliation_row("courts_corrections", case_id, person_id, sentenced, dict(admitted), why, none, key))
    return rows
