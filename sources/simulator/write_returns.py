"""Returns of counts: the figures that each institution would count from its own records. Their format is described in
`docs/reference/yardsticks.md`.

Belongs here: writing one file for each year, with the figures of the year and of its quarters. Does not belong here: which rows an
institution counts (`reported`).
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from sources import periods
from sources.simulator.record_statuses import RecordHistory
from sources.simulator.reported import group_reported_events_by_institution

COLUMNS = ("institution", "indicator", "period", "offence_group", "unit", "value", "source")


def write_yardstick_returns(inbox: Path, history: RecordHistory, years: range) -> None:
    """Write the file `<inbox>/yardsticks/<year>/returns.csv` for each year."""
    counted: Counter[tuple[str, str, str, str, str]] = Counter()
    for institution, events in group_reported_events_by_institution(history).items():
        for event in events:
            unit = "person" if event.person else "case"
            for period in (str(event.day.year), periods.period_containing(event.day, "quarterly")):
                for group in ("total", event.group):
                    counted[institution, event.indicator, period, group, unit] += 1
    for year in years:
        folder = inbox / "yardsticks" / str(year)
        folder.mkdir(parents=True)
        with (folder / "returns.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows((*key, n, f"Return of counts {year}") for key, n in sorted(counted.items()) if key[2][:4] == str(year))
