"""Which deliveries are here, late, missing or withdrawn, and what stands.

Belongs here: the calendar of institutions and quarters, from the ledger and the inbox. Does not belong here: what a delivery
holds, and findings: lateness hangs on the day of arrival, which no figure may hang on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.landing.names import kind_of
from pipelines.landing.walk import walk
from pipelines.periods import last_day, quarters
from pipelines.registry import Registry
from pipelines.registry.ledger import deliveries, first_run
from pipelines.registry.tables import Delivery
from sources import contract
from sources.contract import DeliveryName

COLUMNS = ("institution", "period", "delivery", "state", "detail")
STATES = ("here", "late", "missing", "expected", "withdrawn", "unreadable")
_COLOURS = {"here": "green", "late": "yellow", "missing": "red", "expected": "dim", "withdrawn": "dim", "unreadable": "red"}


Row = tuple[str, str, str | None, str, str]


@dataclass(frozen=True)
class _Version:
    """One version of a delivery, from the ledger (`row`) or only from the inbox."""

    name: DeliveryName
    row: Delivery | None

    @property
    def reading(self) -> str | None:
        """What reading found: complete, partial, unreadable; null where it was not read yet."""
        if self.row is not None and not any(file.kind in ("file", "dump") for file in self.row.receipts[-1].files):
            return "unreadable"
        return self.row.state if self.row is not None else None


def status(registry: Registry | None, inbox: Path | None, today: date | None = None) -> pd.DataFrame:
    """Every institution × quarter between the first and the last that any institution delivered, a row per version or gap.

    Returns institution, period, delivery (null where none came), state, detail (text). States: `here` (stands), `late` (stands, came
    after its day or after a later quarter), `missing`, `expected` (missing, but not due yet), `withdrawn` (replaced by a later version),
    `unreadable`. Lateness is told only where the ledger can know it: a home that was first run years later knows no arrivals.
    Works without a registry (nothing was run yet) and without an inbox. Raises `HarmoniaError` for an inbox that cannot be opened.
    """
    today = today or datetime.now(UTC).date()
    ledger: list[Delivery] = []
    since: datetime | None = None
    if registry is not None:
        with registry.read() as session:
            ledger = deliveries(session)
        since = first_run(registry)
    seen = _seen(ledger, inbox)
    periods = sorted({period for _, period in seen})
    rows: list[Row] = []
    for institution in contract.institutions() if periods else ():
        days = contract.load(institution).due_days
        ours = [one for one in ledger if one.institution == institution]
        for period in quarters(periods[0], periods[-1]):
            due = last_day(period) + timedelta(days=days)
            versions = seen.get((institution, period), [])
            if versions:
                rows += _quarter(institution, versions, _lateness(versions, due, since, ours))
            else:
                state, verb = ("missing", "was due") if due < today else ("expected", "is due")
                rows.append((institution, period, None, state, f"{verb} on {due}"))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype("str")


def table(frame: pd.DataFrame) -> RenderableType:
    """The frame of `status` as a grid of quarters and institutions with what stands, and below it whatever is worth a look."""
    if frame.empty:
        return Text("No delivery yet: neither in the inbox nor landed.")
    grid = Table(title="What stands, by quarter and institution")
    grid.add_column("quarter")
    institutions = list(frame["institution"].unique())
    for institution in institutions:
        grid.add_column(institution)
    standing = frame["state"].isin(["here", "late"])
    first = pd.concat([frame[standing], frame[~standing]]).drop_duplicates(["period", "institution"])
    cells = {(p, i): _cell(d, s) for i, p, d, s in zip(*(first[c] for c in COLUMNS[:4]), strict=True)}
    for period in sorted(frame["period"].unique()):
        grid.add_row(period, *(cells.get((period, institution), Text()) for institution in institutions))
    notes = Table(title="Worth a look")
    for column in COLUMNS:
        notes.add_column(column, overflow="fold")
    notable = frame[(frame["state"] != "here") | frame["detail"].str.contains("in part")].fillna("")
    for institution, period, delivery, state, detail in zip(*(notable[c] for c in COLUMNS), strict=True):
        notes.add_row(institution, period, delivery, Text(state, _COLOURS[state]), detail)
    return Group(grid, notes) if notes.row_count else grid


def _seen(ledger: list[Delivery], inbox: Path | None) -> dict[tuple[str, str], list[_Version]]:
    """(institution, period) -> its versions, the newest first."""
    found = {(one.institution, one.name): _Version(DeliveryName(one.period, one.version), one) for one in ledger}
    for folder in walk(inbox).folders if inbox is not None else ():
        if any(kind_of(name) != "system" for name in folder.files if "/" not in name):
            found.setdefault((folder.institution, str(folder.name)), _Version(folder.name, None))
    out: dict[tuple[str, str], list[_Version]] = {}
    for (institution, _), one in sorted(found.items(), key=lambda item: item[1].name, reverse=True):
        out.setdefault((institution, one.name.period), []).append(one)
    return out


def _quarter(institution: str, versions: list[_Version], lateness: str | None) -> list[Row]:
    """The rows of a quarter's versions: the newest that was read whole stands, and what was read in part stands above it."""
    rows: list[Row] = []
    whole: DeliveryName | None = None
    part: DeliveryName | None = None
    for one in versions:
        notes = []
        if whole is not None:
            state = "withdrawn"
            notes.append(f"replaced by {whole}")
        elif one.reading == "unreadable":
            state = "unreadable"
            notes.append("cannot be read, replaces nothing")
        else:
            state = "late" if lateness else "here"
            notes += [lateness] if lateness else []
            notes += [f"stands where {part} holds nothing"] if part else []
            notes += ["read in part: what it lacks is not withdrawn"] if one.reading == "partial" else []
            whole, part = (whole, one.name) if one.reading == "partial" else (one.name, part)
        rows.append((institution, one.name.period, str(one.name), state, "; ".join([*notes, *_ledger_notes(one.row)])))
    return rows


def _ledger_notes(row: Delivery | None) -> list[str]:
    if row is None:
        return ["not run yet"]
    notes = ["no longer in the inbox"] if row.gone_since is not None else []
    if row.read is not None:
        notes.append(f"{row.read} rows read, {row.accepted or 0} stand, {row.quarantined or 0} quarantined")
    return notes


def _lateness(versions: list[_Version], due: date, since: datetime | None, ours: list[Delivery]) -> str | None:
    """Why a quarter came late, by its first version to arrive; null where it did not, or where the ledger cannot know."""
    arrivals = [one.row.first_seen for one in versions if one.row is not None]
    if not arrivals:
        return None
    came = min(arrivals)
    period = versions[0].name.period
    overtakers = [one.period for one in ours if one.period > period and one.first_seen < came]
    if overtakers:
        return f"came on {came.date()}, after {min(overtakers)}"
    if since is not None and since.date() <= due < came.date():
        return f"came on {came.date()}, was due on {due}"
    return None


def _cell(delivery: str | float, state: str) -> Text:
    version = str(delivery).partition("_")[2] if isinstance(delivery, str) else ""
    return Text(f"{state} {version}".strip(), _COLOURS[state])
