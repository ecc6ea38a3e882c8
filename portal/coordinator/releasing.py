"""`python -m portal.coordinator.releasing FOLDER DAY preview|create`: preview or create the release of a day.

Both build the complete release and run its disclosure-risk test; a preview writes nothing. Belongs here: the summary that the page
shows. Does not belong here: any rule of a release (`warehouse.releases`).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.resources.workplace import Workplace
from portal.job_result import run_job

_MAX_ROWS = 60  # revised figures that are listed


def build_release(folder: Path, day: str, action: str) -> dict[str, Any]:
    """Build the release of a day and return its summary. action: `preview` or `create`. Raises `HarmoniaError` with the reason if the
    release is refused."""
    from harmonia.explorer.page import write_explorer_page as build_explorer
    from harmonia.release_source import collect_release_source
    from warehouse.disclosure import policy
    from warehouse.releases.create import build_release_files, create_and_check_release
    from warehouse.releases.reading import open_release

    workplace = Workplace.from_environment()
    source, release_day = collect_release_source(workplace), date.fromisoformat(day)
    written = False
    if action == "create":
        _, new_release, written = create_and_check_release(workplace, source, release_day)
        build_explorer(open_release(workplace.home.releases, new_release.name), workplace.home.root / "explorer" / new_release.name)
    else:
        new_release = build_release_files(policy.load_policy(workplace.home.root), source, workplace.home.releases, release_day)
    summary = summarise_release(new_release.files, new_release.name, source.tables["statistics"])
    return {**summary, "written": written, "overlapping": new_release.withheld}


def summarise_release(files: dict[str, bytes], name: str, statistics: pd.DataFrame) -> dict[str, Any]:
    """Return what the page shows of the release `name`. This is the number of new figures, and how many of them are incomplete or
    preliminary; the year totals that are new or revised, for all offences and for the leading offence group; and the revised figures.

    `files` are the files of the release, by path. `statistics` is the table of the warehouse that says which figures are preliminary.
    """
    from warehouse.releases import folder

    cube = folder.from_parquet(files[f"{folder.PUBLIC}/cube.parquet"])
    revised = folder.from_parquet(files[f"{folder.PUBLIC}/revisions.parquet"])
    manifest = json.loads(files[f"{folder.PUBLIC}/{folder.MANIFEST}"])
    new = cube[cube["edition"] == name]
    shown = new[new["value"].notna()]
    is_preliminary = statistics["preliminary"].fillna(False).astype(bool)
    preliminary = set(zip(statistics["indicator"][is_preliminary], statistics["period"][is_preliminary], strict=True))
    return {
        "figures": manifest["figures"],
        "new": len(shown),
        "incomplete": int(shown["incomplete"].sum()),
        "preliminary": sum(_find_preliminary_figures(shown, preliminary)),
        "totals": _list_changed_year_totals(cube, revised, name, preliminary),
        "revised": len(revised),
        "merged": int(new["cell"].str.contains("+", regex=False).sum()),
        "withheld": int(new["value"].isna().sum()),
        "rows": _convert_rows_to_dicts(revised.head(_MAX_ROWS)),
        "signed_by": manifest["policy"]["signed_by"],
        "signed_on": manifest["policy"]["signed_on"],
    }


def _list_changed_year_totals(
    cube: pd.DataFrame, revised: pd.DataFrame, name: str, preliminary: set[tuple[str, str]]
) -> list[dict[str, Any]]:
    """List the harmonised year totals that are new or revised, for all offences and for the leading offence group. A revised total also
    has its earlier value."""
    from warehouse.disclosure.programme import LEADING, OFFENCE, TOTAL

    is_main = (cube["table"] == TOTAL) | ((cube["table"] == OFFENCE) & (cube["cell"] == LEADING))
    is_total = is_main & (cube["measure"] == "harmonised") & ((cube["edition"] == name) | cube["revised"])
    key = ["indicator", "measure", "table", "of", "cell"]
    totals = cube[is_total].merge(revised[[*key, "before"]], on=key, how="left")
    totals["preliminary"] = pd.Series(_find_preliminary_figures(totals, preliminary), totals.index, dtype=bool)
    return _convert_rows_to_dicts(
        totals[["indicator", "table", "cell", "period", "value", "before", "status", "limit", "incomplete", "preliminary"]]
    )


def _find_preliminary_figures(figures: pd.DataFrame, preliminary: set[tuple[str, str]]) -> list[bool]:
    """Return for each figure whether it is preliminary. A figure is preliminary if this is so in one of its periods, since it may be the
    figure of a year, of merged quarters, or of a window of years."""
    return [
        any((indicator, period) in preliminary for period in _split_into_periods(periods))
        for indicator, periods in zip(figures["indicator"], figures["period"], strict=True)
    ]


def _split_into_periods(periods: str) -> list[str]:
    """Return the periods that a text names: a window such as `2013/2015`, quarters joined by `+`, or a single period."""
    first, _, last = periods.partition("/")
    return [str(year) for year in range(int(first), int(last) + 1)] if last else periods.split("+")


def _convert_rows_to_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert rows to dicts. Figures become whole numbers, and missing values become None."""
    whole = {name: frame[name].astype("Int64") for name in ("value", "before", "after", "limit") if name in frame}
    rows: list[dict[str, Any]] = json.loads(frame.assign(**whole).to_json(orient="records"))
    return rows


if __name__ == "__main__":
    run_job(build_release)
