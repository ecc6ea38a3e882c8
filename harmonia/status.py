"""The state of every delivery (complete, partial, unreadable or missing), and whether it came late.

Belongs here: the calendar of institutions and periods, made from the ledger and the inbox. Does not belong here: the content of a
delivery.

That a delivery came late is no finding, since it depends on the day of arrival, and neither findings nor figures may depend on that day.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from harmonia.console import format_count, make_table
from harmonia.registry import Registry, pulls
from harmonia.registry.ledger import YARDSTICKS, find_start_of_first_run, read_deliveries, read_open_problems
from harmonia.registry.tables import Delivery
from pipelines import own_past
from pipelines.landing.file_names import classify_file_name
from pipelines.landing.walk import walk_inbox
from pipelines.over_time import MANY_WITHDRAWN
from pipelines.resources import parquet
from schemas.findings import rules
from sources import completeness_states, contract, periods
from sources.contract import DeliveryName
from warehouse.yardsticks import TOTAL

RECEIVED, EXPECTED = "received", "expected"
STATUS_COLUMNS = ("institution", "period", "delivery", "state", "period_state", "detail")
STATES = (*completeness_states.STATES, RECEIVED, EXPECTED)
_COLOURS = dict(zip(STATES, ("green", "yellow", "red", "red", "dim", "dim"), strict=True))
_URGENCY = {state: n for n, state in enumerate((completeness_states.MISSING, completeness_states.UNREADABLE, completeness_states.PARTIAL))}
_LATE, _REPLACED, _NOT_LANDED = "came on", "replaced by", "not landed yet"

_NAMES_PER_LINE = 6

StatusRow = tuple[str, str, str | None, str, str, str]
"""A row with the columns `STATUS_COLUMNS`."""


@dataclass(frozen=True)
class _DeliveryVersion:
    """One version of a delivery. ledger_row: its row in the ledger; None if it was found only in the inbox."""

    name: DeliveryName
    ledger_row: Delivery | None
    refused: bool = False  # it is in the inbox, and no file of it could be landed

    @property
    def state(self) -> str | None:
        """The state after reading (`sources.completeness_states`); None if the version was not read yet."""
        if self.refused:
            return completeness_states.MISSING
        return self.ledger_row.state if self.ledger_row is not None else None


def list_delivery_states(
    registry: Registry | None, inbox: Path | None, today: date | None = None, until: date | None = None
) -> pd.DataFrame:
    """List the state of every delivery of every institution, and of every period without a delivery.

    The periods range from the first to the last day for which any institution delivered; later periods are included if they end before
    `until`. If an institution did not have to deliver for a period and did not do so, the period is left out.
    Returns one row for each version of a delivery, and one for each period without a delivery: institution, period, delivery (null if
    there is none), state of the version, period_state (state of the period), detail (text). The states are those of
    `sources.completeness_states`, `received` (no run has read it yet) and `expected` (missing, but not due yet). `detail` calls a
    delivery late only if the ledger recorded its arrival, which it did not if the home was first run years later. The function works
    without a registry (before the first run) and without an inbox. Raises `HarmoniaError` if the inbox cannot be opened.
    """
    today = today or datetime.now(UTC).date()
    ledger: list[Delivery] = []
    ledger_begin: datetime | None = None
    refused: set[tuple[str | None, str | None]] = set()
    if registry is not None:
        with registry.read() as session:
            ledger = read_deliveries(session)
            refused = {(problem.institution, problem.delivery) for problem in read_open_problems(session)}
        ledger_begin = find_start_of_first_run(registry)
    versions_by_period = _find_versions(ledger, inbox, refused)
    delivered_periods = {period for _, period in versions_by_period}
    rows: list[StatusRow] = []
    for institution in contract.institutions() if delivered_periods else ():
        declared = contract.load(institution)
        ledger_rows = [row for row in ledger if row.institution == institution]
        first, last = min(map(periods.first_day, delivered_periods)), max(map(periods.last_day, delivered_periods))
        ended = [
            one for one in periods.periods_between(first, until or first, declared.cadence) if periods.last_day(one) < (until or first)
        ]
        for period in sorted({*periods.periods_between(first, last, declared.cadence), *ended}, key=periods.last_day):
            due = periods.last_day(period) + timedelta(days=declared.due_days)
            versions = versions_by_period.get((institution, period), [])
            if versions:
                rows += _make_rows_of_period(institution, versions, _describe_lateness(versions, due, ledger_begin, ledger_rows))
            elif declared.is_delivery_due(period):
                state, verb = (completeness_states.MISSING, "was due") if due < today else (EXPECTED, "is due")
                rows.append((institution, period, None, state, state, f"{verb} on {due}"))
    return pd.DataFrame(rows, columns=list(STATUS_COLUMNS)).astype("str")


def render_calendar(frame: pd.DataFrame) -> RenderableType:
    """Render the frame of `list_delivery_states`: a grid of quarters and institutions, and below it the deliveries that need attention."""
    if frame.empty:
        return Text("No deliveries yet, neither in the inbox nor landed.")
    institutions = list(frame["institution"].unique())
    calendar = make_table("quarter", *institutions, title="State of the deliveries, by quarter and institution")
    first = frame.sort_values("detail", key=lambda d: ~d.str.contains(_LATE), kind="stable").drop_duplicates(["period", "institution"])
    first = first.assign(quarter=first["period"].map(periods.quarters_of)).explode("quarter")
    cells = {key: _make_calendar_cell(rows["period_state"], rows["detail"]) for key, rows in first.groupby(["quarter", "institution"])}
    for quarter in sorted(first["quarter"].unique()):
        calendar.add_row(quarter, *(cells.get((quarter, institution), Text()) for institution in institutions))
    columns = [column for column in STATUS_COLUMNS if column != "period_state"]
    notes = make_table(*columns, title="Needs attention")
    counts = ~frame["detail"].str.startswith(_REPLACED)
    waiting = frame["detail"] == _NOT_LANDED  # the grid shows these
    notable = frame[counts & ~waiting & ((frame["state"] != completeness_states.COMPLETE) | frame["detail"].str.contains(_LATE))].fillna("")
    notable = notable.sort_values("state", key=lambda s: s.map(_URGENCY), kind="stable")
    for institution, period, delivery, state, detail in zip(*(notable[c] for c in columns), strict=True):
        notes.add_row(institution, period, delivery, Text(state, _COLOURS[state]), detail)
    return Group(calendar, notes) if notes.row_count else calendar


def list_other_inbox_entries(inbox: Path | None) -> list[str]:
    """List the entries of the inbox that are not deliveries, in one text for each rule."""
    if inbox is None:
        return []
    return describe_inbox_findings(pd.DataFrame(walk_inbox(inbox).findings, columns=["institution", "delivery", "file", "rule"]))


def list_stopped_pulls(registry: Registry | None) -> list[str]:
    """List the servers and deliveries whose last pull failed, one text each, with the reason and what to do."""
    if registry is None:
        return []
    with registry.read() as session:
        problems = pulls.read_open_pull_problems(session)
    by_rule = [(problem, rules()[problem["rule"]]) for problem in problems]
    return [
        f"{problem['institution']} {problem['detail'] or ''}: {rule.text['en']} {rule.action['en']} ({rule.code})"
        for problem, rule in by_rule
    ]


_DEVIATIONS = {
    own_past.VOLUME: "{} records",
    own_past.CODES: "one value {}",
    own_past.MISSING: "filled {}",
    own_past.DAYS: "one part of the days {}",
    own_past.REPEATED: "new records {}",
}


def find_deliveries_unlike_past(findings: pd.DataFrame) -> pd.DataFrame:
    """Find deliveries that differ from earlier ones of the same institution, and corrections that lack many of the records they replace.

    findings: the findings, with institution, delivery, rule, field, detail and state. Returns one row for each delivery: institution,
    delivery, and what (a text with the first differing values, each beside the usual one).
    """
    unlike = findings[findings["rule"].isin([*own_past.RULES, MANY_WITHDRAWN]) & (findings["state"] != "fixed")]
    unlike = unlike[["institution", "delivery", "rule", "field", "detail"]].astype("str")
    what = [_describe_deviation(*row) for row in unlike[["rule", "field", "detail"]].itertuples(index=False)]
    unlike = unlike.assign(what=pd.Series(what, index=unlike.index, dtype="str"))
    by_delivery = unlike.groupby(["institution", "delivery"], sort=False)["what"]
    return by_delivery.agg(lambda texts: shorten_list(list(texts))).reset_index()


def _describe_deviation(rule: str, field: str | None, detail: str) -> str:
    """Describe how a delivery differs. detail: `table: figure ≠ usual figure`, or `records withdrawn / records replaced`."""
    if rule == MANY_WITHDRAWN:
        return f"{detail.replace(' / ', ' of ')} records withdrawn"
    table, _, figures = detail.partition(": ")
    figure, _, usual = figures.partition(" ≠ ")
    where = table if pd.isna(field) else f"{field} in {table}"
    return f"{where}: {_DEVIATIONS[rule].format(figure)}, usually {usual}"


def list_deliveries_unlike_past(lake: Path) -> list[str]:
    """List the deliveries that differ from earlier ones of the same institution, from the findings of the last run.

    The list is empty before the first run.
    """
    stored = lake / "findings" / "findings.parquet"
    if not stored.is_file():
        return []
    unlike = find_deliveries_unlike_past(pd.read_parquet(stored, columns=["institution", "delivery", "rule", "field", "detail", "state"]))
    return [f"{institution} {delivery} ({what})" for institution, delivery, what in unlike.itertuples(index=False)]


def describe_yardsticks(figures: pd.DataFrame, problems: pd.DataFrame) -> list[str]:
    """Describe how the figures that institutions published compare with `as_reported`.

    figures: the table `yardstick`. problems: the published figures that could not be compared, with the columns
    `warehouse.yardsticks.PROBLEM_COLUMNS`. Returns texts with the number of figures and gaps, the gaps that exceed the tolerance, and
    what was not compared; empty if there are no yardsticks.
    """
    compared = figures[figures["gap"].notna()]
    large_gaps = compared[compared["exceeds_tolerance"].astype("bool")]
    lines = []
    if len(compared):
        totals = f"{format_count(len(compared), 'published figure')} compared, {format_count(int((compared['gap'] != 0).sum()), 'gap')}"
        lines.append(f"{totals}, {len(large_gaps)} larger than the tolerance")
    largest_first = large_gaps.sort_values("gap", key=lambda gap: -gap.abs(), kind="stable")
    gap_texts = [
        f"{row['indicator']} {row['period']}{'' if row['offence_group'] == TOTAL else ' ' + row['offence_group']}: "
        f"{row['institution']} published {row['published']}, as reported {row['as_reported']} ({row['gap']:+d})"
        for row in largest_first.to_dict("records")
    ]
    lines += [f"gap: {shorten_list(gap_texts)}"] if gap_texts else []
    for (file, rule), rows in problems.groupby(["file", "rule"], sort=True):
        numbers = [str(number) for number in rows["line"].dropna()]
        position = f" {'line' if len(numbers) == 1 else 'lines'} {shorten_list(numbers)}" if numbers else ""
        lines.append(f"{file}{position}: not compared: {rows['why'].iloc[0]} ({rule})")
    return lines


def describe_stored_yardsticks(lake: Path) -> list[str]:
    """Describe the yardsticks of the last run, as `describe_yardsticks` does; empty before the first run."""
    tables = ("yardstick", "yardstick_problem")
    stored = [lake / "statistics" / f"{table}.parquet" for table in tables]
    return describe_yardsticks(*map(parquet.read_table, stored)) if all(path.is_file() for path in stored) else []


def describe_inbox_findings(findings: pd.DataFrame) -> list[str]:
    """Describe the entries of the inbox that are not deliveries: one text for each rule, with the paths of the entries.

    findings: the findings of landing.
    """
    outside = findings[findings["delivery"].isna()]
    paths = outside["institution"].fillna("") + "/" + outside["file"].fillna("")
    lines = []
    for code, paths_of_rule in paths.groupby(outside["rule"], sort=True):
        lines.append(f"{rules()[str(code)].text['en']} ({shorten_list([path.strip('/') for path in paths_of_rule])})")
    return lines


def shorten_list(names: Sequence[str]) -> str:
    """Return the first names as text, followed by the number of names left out."""
    rest = len(names) - _NAMES_PER_LINE
    return ", ".join(names[:_NAMES_PER_LINE]) + (f" and {rest} more" if rest > 0 else "")


def _find_versions(
    ledger: list[Delivery], inbox: Path | None, refused_deliveries: Collection[tuple[str | None, str | None]]
) -> dict[tuple[str, str], list[_DeliveryVersion]]:
    """Return the versions of deliveries in the ledger and the inbox, by institution and period, the newest version first.

    refused_deliveries: institution and name of the deliveries of which no file could be landed.
    """
    versions = {(row.institution, row.name): _DeliveryVersion(DeliveryName(row.period, row.version), row) for row in ledger}
    folders = walk_inbox(inbox).folders if inbox is not None else []
    for folder in (folder for folder in folders if folder.institution != YARDSTICKS):
        if any(classify_file_name(name) != "system" for name in folder.files if "/" not in name):
            delivery = (folder.institution, str(folder.name))
            versions.setdefault(delivery, _DeliveryVersion(folder.name, None, delivery in refused_deliveries))
    by_period: dict[tuple[str, str], list[_DeliveryVersion]] = {}
    for (institution, _), version in sorted(versions.items(), key=lambda item: item[1].name, reverse=True):
        by_period.setdefault((institution, version.name.period), []).append(version)
    return by_period


def _make_rows_of_period(institution: str, versions: list[_DeliveryVersion], lateness: str | None) -> list[StatusRow]:
    """Return one row for each version of a period, newest first. The last complete version counts, and so does every version after it."""
    known_states = [version.state for version in reversed(versions) if version.state is not None]
    period_state = completeness_states.period_state(known_states) if known_states else RECEIVED
    rows: list[StatusRow] = []
    complete: DeliveryName | None = None
    partial: DeliveryName | None = None
    for version in versions:
        notes = []
        if complete is not None:
            notes.append(f"{_REPLACED} {complete}")
        elif version.refused:
            notes.append("no file could be landed: see the feedback to the institution")
        elif version.state == completeness_states.UNREADABLE:
            notes.append("cannot be read, replaces nothing" if len(versions) > 1 else "cannot be read")
        else:
            notes += [lateness] if lateness else []
            notes += [f"counts for records not in {partial}"] if partial else []
            notes += ["partial: records missing from it are not withdrawn"] if version.state == completeness_states.PARTIAL else []
            complete, partial = (complete, version.name) if version.state == completeness_states.PARTIAL else (version.name, partial)
        detail = "; ".join([*notes, *([] if version.refused else _list_notes_from_ledger(version.ledger_row))])
        rows.append((institution, version.name.period, str(version.name), version.state or RECEIVED, period_state, detail))
    return rows


def _list_notes_from_ledger(row: Delivery | None) -> list[str]:
    if row is None:
        return [_NOT_LANDED]
    notes = ["no longer in the inbox"] if row.gone_since is not None else []
    if row.read is not None:
        notes.append(f"{row.read} rows read, {row.accepted or 0} accepted, {row.quarantined or 0} quarantined")
    return notes


def _describe_lateness(
    versions: list[_DeliveryVersion], due: date, ledger_begin: datetime | None, ledger_rows: list[Delivery]
) -> str | None:
    """Say how late the first version for a period came; None if it was not late, or if the ledger cannot know.

    ledger_begin: time of the first run. ledger_rows: all deliveries of the institution in the ledger.
    """
    arrivals = [version.ledger_row.first_seen for version in versions if version.ledger_row is not None]
    if not arrivals:
        return None
    arrival = min(arrivals)
    period = versions[0].name.period
    later_periods = [row.period for row in ledger_rows if row.period > period and row.first_seen < arrival]
    if later_periods:
        return f"{_LATE} {arrival.date()}, after {min(later_periods)}"
    if ledger_begin is not None and ledger_begin.date() <= due < arrival.date():
        return f"{_LATE} {arrival.date()}, was due on {due}"
    return None


def _make_calendar_cell(period_states: pd.Series, delivery_states: pd.Series) -> Text:
    """Return the state of a quarter in the calendar, derived from the states of the periods that overlap with it."""
    known_states = [state for state in period_states if state in completeness_states.STATES]
    state = completeness_states.calendar_state(known_states) if known_states else period_states.iloc[0]
    return Text(f"{state}, late" if delivery_states.str.contains(_LATE).any() else state, _COLOURS[state])
