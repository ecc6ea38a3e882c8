"""Releases for tests: a signed policy, a small warehouse made up figure by figure. No persons, keys only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from warehouse import tables
from warehouse.disclosure import policy
from warehouse.indicators import indicators
from warehouse.releases import folder
from warehouse.releases.create import NewRelease, build_release_files
from warehouse.releases.source import ReleaseSource
from warehouse.star import tables as star
from warehouse.star.views import FLOW_VICTIM_DURATIONS, FLOW_VICTIMS, VICTIM_DURATIONS

VERSIONS = {"harmonia": "test", "code": {"counting": "1"}, "indicators": dict.fromkeys(indicators(), "1")}
LINKAGE = {"model": "test", "shares": [], "estimated_error": []}


FEW = ("victims_identified", "persons_arrested")


def signed(home: Path, text: str | None = None, few: Sequence[str] = FEW) -> policy.Policy:
    """The shipped policy for a few indicators (or `text`), signed in `home` by a coordinator made up for the test."""
    home.mkdir(parents=True, exist_ok=True)
    if text is None:
        raw = yaml.safe_load(policy.SHIPPED.read_text("utf-8"))
        text = yaml.safe_dump({**raw, "indicators": {code: raw["indicators"][code] for code in few}}, sort_keys=False)
    source = home / "draft.yaml"
    source.write_text(text, "utf-8")
    policy.sign_policy(home, home.parent / "coordinator.pem", "A Coordinator", "2014-01-15", source)
    return policy.load_policy(home)


def units(indicator: str, year: int, *groups: tuple[int, dict[str, str]], start: int = 0) -> list[dict[str, Any]]:
    """Counted units: so many with these values; the others hold the commonest. Days go through the year."""
    out: list[dict[str, Any]] = []
    common = {"offence_group": "trafficking", "form": "sexual", "sex": "female", "age_group": "adult", "citizenship_group": "domestic"}
    for count, values in groups:
        for _ in range(count):
            n = start + len(out)
            day = pd.Timestamp(year, 1 + 3 * (n % 4), 1 + n % 28)
            key = f"{indicator}-{year}-{n}"
            out.append({"indicator": indicator, "case_id": f"C{key}", "person_id": f"P{key}", "day": day, **common, **values})
    return out


def _all_of(code: str, year: int) -> str:
    """What a figure of which nothing was delivered names."""
    return ", ".join(f"{name} {year}-Q{n} missing" for name in indicators()[code].institutions for n in range(1, 5))


def source(counted: Sequence[dict[str, Any]], years: Sequence[int], missing: dict[tuple[str, int], str] | None = None) -> ReleaseSource:
    """A warehouse in memory that holds these units; as reported equals harmonised.

    missing: (indicator, year) → what is not complete, as `statistics.missing` says it; `all` where nothing was delivered.
    """
    frame = tables.conform_frame(tables.COUNTED, pd.DataFrame(counted).assign(counts_in_year=True, counts_in_quarter=True))
    rows = [row for code in indicators() for year in years for row in _figures(frame, code, year, (missing or {}).get((code, year)))]
    made = {
        "statistics": tables.conform_frame(tables.STATISTICS, pd.DataFrame(rows)),
        "counted": frame,
        "bridge": tables.conform_frame(tables.BRIDGE, pd.DataFrame(columns=["indicator"])),
        "bridge_records": tables.conform_frame(tables.BRIDGE_RECORDS, pd.DataFrame(columns=["indicator"])),
        "coverage": tables.conform_frame(
            tables.COVERAGE, pd.DataFrame([{"institution": "police", "period": f"{y}-Q4", "state": "complete"} for y in years])
        ),
        "lineage": tables.conform_frame(tables.LINEAGE, pd.DataFrame(columns=["institution"])),
        **pathway(years),
        "yardstick": tables.conform_frame(tables.YARDSTICK, pd.DataFrame(columns=["institution"])),
    }
    judged = pd.DataFrame(columns=["entity", "institution_a", "key_a", "institution_b", "key_b", "verdict"]).astype("str")
    return ReleaseSource(made, pd.DataFrame(columns=["institution", "delivery", "period"]).astype("str"), judged, LINKAGE, VERSIONS)


def pathway(years: Sequence[int]) -> dict[str, pd.DataFrame]:
    """Cohorts of twelve victims a year: ten of trafficking, of whom one fewer reaches each step; days of the first step alone."""
    cohorts, durations = [], []
    for year in years:
        for group, victims in (("trafficking", 10), ("other", 2)):
            reached = {step: max(victims - 1 - n, 0) for n, step in enumerate(star.VICTIM_STEPS)}
            cohorts.append({"cohort": str(year), "offence_group": group, "victims": victims, **reached, "incomplete": False})
        for n, (step, _, _) in enumerate(VICTIM_DURATIONS):
            days = {"median_days": None if n else 4.5, "ninth_decile_days": None if n else 31.0}
            durations.append({"cohort": str(year), "step": step, "victims": 9 - 2 * n, **days, "incomplete": False})
    frames = {FLOW_VICTIMS: cohorts, FLOW_VICTIM_DURATIONS: durations}
    return {view.name: tables.conform_frame(view, pd.DataFrame(rows)) for view, rows in frames.items()}


_DIMENSIONS = ("form", "sex", "age_group", "citizenship_group")
_TABLES = ((), *((d,) for d in _DIMENSIONS), ("sex", "age_group"))


def _figures(counted: pd.DataFrame, code: str, year: int, gap: str | None) -> list[dict[str, Any]]:
    """The rows of `statistics` of one indicator and year: by offence group, each single dimension and sex by age."""
    mine = counted[(counted["indicator"] == code) & (pd.to_datetime(counted["day"]).dt.year == year)]
    rows = []
    for group in ("total", *sorted(set(mine["offence_group"]) | {"trafficking"})):
        units = mine if group == "total" else mine[mine["offence_group"] == group]
        for table in _TABLES:
            cells = units.groupby(list(table)).size().items() if table else [((), len(units))]
            for values, n in cells:
                named = dict(zip(table, values if isinstance(values, tuple) else (values,), strict=True))
                count = None if gap == "all" else int(n)
                figure = {"as_reported": count, "harmonised": count, "missing": _all_of(code, year) if gap == "all" else gap}
                rows.append(
                    {
                        "indicator": code,
                        "period": str(year),
                        "offence_group": group,
                        **dict.fromkeys(_DIMENSIONS, "total"),
                        **named,
                        **figure,
                    }
                )
    return rows


def reported(of: ReleaseSource, indicator: str, year: int, steps: Mapping[str, int]) -> ReleaseSource:
    """`of` with figures as reported that differ from the harmonised ones by these causes, all of trafficking."""
    figures, bridge = of.tables["statistics"].copy(), of.tables["bridge"]
    whole = (figures[list(_DIMENSIONS)] == "total").all(axis=1) & figures["offence_group"].isin(["total", "trafficking"])
    mine = whole & (figures["indicator"] == indicator) & (figures["period"] == str(year))
    figures.loc[mine, "as_reported"] = figures.loc[mine, "harmonised"] - sum(steps.values())
    rows = [{"indicator": indicator, "period": str(year), "institution": "police", "cause": cause, "n": n} for cause, n in steps.items()]
    added = pd.concat([bridge, tables.conform_frame(tables.BRIDGE, pd.DataFrame(rows))], ignore_index=True)
    return replace(of, tables={**of.tables, "statistics": figures, "bridge": added})


def release(home: Path, day: str, of: ReleaseSource) -> NewRelease:
    """Make and store a release in `home`, which has a signed policy."""
    made = build_release_files(policy.load_policy(home), of, home / "releases", date.fromisoformat(day))
    (home / "releases").mkdir(exist_ok=True)
    folder.write_release(home / "releases" / day, made.files)
    return made
