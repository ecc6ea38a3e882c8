"""State of every delivery: complete, partial, unreadable or missing, and whether it came late.

Belongs here: the calendar of institutions and periods, from the ledger and the inbox. Does not belong here: the content of a
delivery; findings: lateness depends on the day of arrival, and no figure may depend on that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from harmonia.console import count, grid
from harmonia.registry import Registry, pulls
from harmonia.registry.ledger import YARDSTICKS, deliveries, first_run, open_problems
from harmonia.registry.tables import Delivery
from pipelines import own_past
from pipelines.landing.names import kind_of
from pipelines.landing.walk import walk
from pipelines.resources import parquet
from schemas.findings import rules
from sources import contract, periods, states
from sources.contract import DeliveryName
from warehouse.yardsticks import TOTAL

RECEIVED, EXPECTED = "received", "expected"
COLUMNS = ("institution", "period", "delivery", "state", "period_state", "detail")
STATES = (*states.STATES, RECEIVED, EXPECTED)
_COLOURS = dict(zip(STATES, ("green", "yellow", "red", "red", "dim", "dim"), strict=True))
_URGENT = {state: n for n, state in enumerate((states.MISSING, states.UNREADABLE, states.PARTIAL))}
_LATE, _REPLACED, _NOT_LANDED = "came on", "replaced by", "not landed yet"

_NAMED = 6  # names in one line

Row = tuple[str, str, str | None, str, str, str]


@dataclass(frozen=True)
class _Version:
    """One version of a delivery, from the ledger (`row`) or only from the inbox."""

    name: DeliveryName
    row: Delivery | None
    refused: bool = False  # it is in the inbox, and no file of it could be landed

    @property
    def reading(self) -> str | None:
        """State after reading (`sources.states`); null if not read yet."""
        if self.refused:
            return states.MISSING
        return self.row.state if self.row is not None else None


def status(registry: Registry | None, inbox: Path | None, today: date | None = None) -> pd.DataFrame:
    """Every institution × period of its cadence from the first to the last day that any institution delivered, a row per version or gap.

    Returns institution, period, delivery (null if none came), state of that version, state of the period, detail (text). States are
    those of `sources.states`, plus `received` (no run has read it yet) and `expected` (missing, but not due yet). Lateness is reported
    only where the ledger can know it: a home that was first run years later did not record the arrivals.
    Works without a registry (no run yet) and without an inbox. Raises `HarmoniaError` for an inbox that cannot be opened.
    """
    today = today or datetime.now(UTC).date()
    ledger: list[Delivery] = []
    since: datetime | None = None
    refused: set[tuple[str | None, str | None]] = set()
    if registry is not None:
        with registry.read() as session:
            ledger = deliveries(session)
            refused = {(problem.institution, problem.delivery) for problem in open_problems(session)}
        since = first_run(registry)
    seen = _seen(ledger, inbox, refused)
    delivered = {period for _, period in seen}
    rows: list[Row] = []
    for institution in contract.institutions() if delivered else ():
        declared = contract.load(institution)
        ours = [one for one in ledger if one.institution == institution]
        first, last = min(map(periods.first_day, delivered)), max(map(periods.last_day, delivered))
        for period in periods.between(first, last, declared.cadence):
            due = periods.last_day(period) + timedelta(days=declared.due_days)
            versions = seen.get((institution, period), [])
            if versions:
                rows += _period(institution, versions, _lateness(versions, due, since, ours))
            else:
                state, verb = (states.MISSING, "was due") if due < today else (EXPECTED, "is due")
                rows.append((institution, period, None, state, state, f"{verb} on {due}"))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype("str")


def table(frame: pd.DataFrame) -> RenderableType:
    """The frame of `status` as a grid of quarters and institutions, followed by the deliveries that need attention."""
    if frame.empty:
        return Text("No deliveries yet, neither in the inbox nor landed.")
    institutions = list(frame["institution"].unique())
    calendar = grid("quarter", *institutions, title="State of the deliveries, by quarter and institution")
    first = frame.sort_values("detail", key=lambda d: ~d.str.contains(_LATE), kind="stable").drop_duplicates(["period", "institution"])
    first = first.assign(quarter=first["period"].map(periods.quarters_of)).explode("quarter")
    cells = {place: _cell(rows["period_state"], rows["detail"]) for place, rows in first.groupby(["quarter", "institution"])}
    for quarter in sorted(first["quarter"].unique()):
        calendar.add_row(quarter, *(cells.get((quarter, institution), Text()) for institution in institutions))
    shown = [column for column in COLUMNS if column != "period_state"]
    notes = grid(*shown, title="Needs attention")
    counts = ~frame["detail"].str.startswith(_REPLACED)
    waiting = frame["detail"] == _NOT_LANDED  # the grid shows these
    notable = frame[counts & ~waiting & ((frame["state"] != states.COMPLETE) | frame["detail"].str.contains(_LATE))].fillna("")
    notable = notable.sort_values("state", key=lambda s: s.map(_URGENT), kind="stable")
    for institution, period, delivery, state, detail in zip(*(notable[c] for c in shown), strict=True):
        notes.add_row(institution, period, delivery, Text(state, _COLOURS[state]), detail)
    return Group(calendar, notes) if notes.row_count else calendar


def outside(inbox: Path | None) -> list[str]:
    """Entries of the inbox that are not deliveries, one line per rule."""
    return inbox_lines(pd.DataFrame(walk(inbox).findings, columns=["institution", "delivery", "file", "rule"])) if inbox else []


def stopped_pulls(registry: Registry | None) -> list[str]:
    """What stopped the last pull of a source or delivery, with the way out; one line each."""
    if registry is None:
        return []
    with registry.read() as session:
        found = pulls.open_pull_problems(session)
    said = [(one, rules()[one["rule"]]) for one in found]
    return [f"{one['institution']} {one['detail'] or ''}: {rule.text['en']} {rule.action['en']} ({rule.code})" for one, rule in said]


def unlike_past(found: pd.DataFrame) -> pd.DataFrame:
    """Deliveries unlike their institution's own past, one row each: institution, delivery, what (is and is usual, the first of them).

    In: findings with institution, delivery, rule, field, detail, state.
    """
    odd = found[found["rule"].isin(own_past.RULES) & (found["state"] != "fixed")]
    odd = odd[["institution", "delivery", "rule", "field", "detail"]].astype("str")
    records = odd["rule"] == own_past.VOLUME
    detail = odd["detail"].str.replace(" ≠", " records, usually").where(records, odd["detail"].str.replace(" ≠", ", usually"))
    what = detail.where(odd["field"].isna(), odd["field"].fillna("") + " in " + detail)
    by = odd.assign(what=what).groupby(["institution", "delivery"], sort=False)["what"]
    return by.agg(lambda lines: shortened(list(lines))).reset_index()


def unlike_past_lines(lake: Path) -> list[str]:
    """The deliveries unlike their institution's own past, by the findings of the last run; none before the first."""
    stored = lake / "findings" / "findings.parquet"
    if not stored.is_file():
        return []
    odd = unlike_past(pd.read_parquet(stored, columns=["institution", "delivery", "rule", "field", "detail", "state"]))
    return [f"{institution} {delivery} ({what})" for institution, delivery, what in odd.itertuples(index=False)]


def yardstick_lines(compared: pd.DataFrame, problems: pd.DataFrame) -> list[str]:
    """What institutions published beside `as_reported`: how much agrees, each gap that exceeds the tolerance, what was not compared.

    In: the table `yardstick`; `warehouse.yardsticks.PROBLEMS`. No line where there are no yardsticks.
    """
    known = compared[compared["gap"].notna()]
    large = known[known["exceeds_tolerance"].astype("bool")]
    lines = []
    if len(known):
        within = f"{count(len(known), 'published figure')} compared, {count(int((known['gap'] != 0).sum()), 'gap')}"
        lines.append(f"{within}, {len(large)} larger than the tolerance")
    gaps = large.sort_values("gap", key=lambda gap: -gap.abs(), kind="stable")
    named = [
        f"{row['indicator']} {row['period']}{'' if row['offence_group'] == TOTAL else ' ' + row['offence_group']}: "
        f"{row['institution']} published {row['published']}, as reported {row['as_reported']} ({row['gap']:+d})"
        for row in gaps.to_dict("records")
    ]
    lines += [f"gap: {shortened(named)}"] if named else []
    for (file, rule), rows in problems.groupby(["file", "rule"], sort=True):
        numbers = [str(line) for line in rows["line"].dropna()]
        place = f" {'line' if len(numbers) == 1 else 'lines'} {shortened(numbers)}" if numbers else ""
        lines.append(f"{file}{place}: not compared: {rows['why'].iloc[0]} ({rule})")
    return lines


def stored_yardstick_lines(lake: Path) -> list[str]:
    """`yardstick_lines` of the last run; none before the first."""
    names = ("yardstick", "yardstick_problem")
    stored = [lake / "statistics" / f"{name}.parquet" for name in names]
    return yardstick_lines(*map(parquet.read_table, stored)) if all(path.is_file() for path in stored) else []


def inbox_lines(found: pd.DataFrame) -> list[str]:
    """Entries of the inbox that are not deliveries: one line per rule, with their paths. In: findings of landing."""
    outside = found[found["delivery"].isna()]
    places = outside["institution"].fillna("") + "/" + outside["file"].fillna("")
    lines = []
    for code, names in places.groupby(outside["rule"], sort=True):
        lines.append(f"{rules()[str(code)].text['en']} ({shortened([name.strip('/') for name in names])})")
    return lines


def shortened(names: Sequence[str]) -> str:
    """The first names, and the number of further ones."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _seen(
    ledger: list[Delivery], inbox: Path | None, refused: Collection[tuple[str | None, str | None]]
) -> dict[tuple[str, str], list[_Version]]:
    """(institution, period) -> its versions, newest first."""
    found = {(one.institution, one.name): _Version(DeliveryName(one.period, one.version), one) for one in ledger}
    folders = walk(inbox).folders if inbox is not None else []
    for folder in (one for one in folders if one.institution != YARDSTICKS):
        if any(kind_of(name) != "system" for name in folder.files if "/" not in name):
            place = (folder.institution, str(folder.name))
            found.setdefault(place, _Version(folder.name, None, place in refused))
    out: dict[tuple[str, str], list[_Version]] = {}
    for (institution, _), one in sorted(found.items(), key=lambda item: item[1].name, reverse=True):
        out.setdefault((institution, one.name.period), []).append(one)
    return out


def _period(institution: str, versions: list[_Version], lateness: str | None) -> list[Row]:
    """The rows of a period's versions, newest first. The last complete version counts, and every version after it."""
    read = [one.reading for one in reversed(versions) if one.reading is not None]
    whole_period = states.of_period(read) if read else RECEIVED
    rows: list[Row] = []
    whole: DeliveryName | None = None
    part: DeliveryName | None = None
    for one in versions:
        notes = []
        if whole is not None:
            notes.append(f"{_REPLACED} {whole}")
        elif one.refused:
            notes.append("no file could be landed: see the feedback to the institution")
        elif one.reading == states.UNREADABLE:
            notes.append("cannot be read, replaces nothing" if len(versions) > 1 else "cannot be read")
        else:
            notes += [lateness] if lateness else []
            notes += [f"counts for records not in {part}"] if part else []
            notes += ["partial: records missing from it are not withdrawn"] if one.reading == states.PARTIAL else []
            whole, part = (whole, one.name) if one.reading == states.PARTIAL else (one.name, part)
        detail = "; ".join([*notes, *([] if one.refused else _ledger_notes(one.row))])
        rows.append((institution, one.name.period, str(one.name), one.reading or RECEIVED, whole_period, detail))
    return rows


def _ledger_notes(row: Delivery | None) -> list[str]:
    if row is None:
        return [_NOT_LANDED]
    notes = ["no longer in the inbox"] if row.gone_since is not None else []
    if row.read is not None:
        notes.append(f"{row.read} rows read, {row.accepted or 0} accepted, {row.quarantined or 0} quarantined")
    return notes


def _lateness(versions: list[_Version], due: date, since: datetime | None, ours: list[Delivery]) -> str | None:
    """How late a period came, by its first version to arrive; null if it was not late or the ledger cannot know."""
    arrivals = [one.row.first_seen for one in versions if one.row is not None]
    if not arrivals:
        return None
    came = min(arrivals)
    period = versions[0].name.period
    overtakers = [one.period for one in ours if one.period > period and one.first_seen < came]
    if overtakers:
        return f"{_LATE} {came.date()}, after {min(overtakers)}"
    if since is not None and since.date() <= due < came.date():
        return f"{_LATE} {came.date()}, was due on {due}"
    return None


def _cell(of_periods: pd.Series, details: pd.Series) -> Text:
    """The state of a quarter, from those of the delivered periods that have a day in it."""
    known = [state for state in of_periods if state in states.STATES]
    state = states.of_calendar(known) if known else of_periods.iloc[0]
    return Text(f"{state}, late" if details.str.contains(_LATE).any() else state, _COLOURS[state])
