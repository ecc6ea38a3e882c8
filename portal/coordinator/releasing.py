"""`python -m portal.coordinator.releasing FOLDER DAY preview|create`: preview or create the release of a day.

Both build the complete release and run its disclosure-risk test; a preview writes nothing. Belongs here: the summary that the page
shows. Does not belong here: any rule of a release (`warehouse.releases`).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.resources.workplace import Workplace
from portal.job_result import run_job

_MAX_ROWS = 60  # revised figures listed


def build_release(folder: Path, day: str, action: str) -> dict[str, Any]:
    """Build the release of a day and summarise it. action: `preview` or `create`. Raises `HarmoniaError` with the reason if it is
    refused."""
    from harmonia.explorer.page import build as build_explorer
    from harmonia.release_source import read_source
    from warehouse.disclosure import policy
    from warehouse.releases.create import build, create
    from warehouse.releases.reading import open_release

    workplace = Workplace.from_environment()
    source, release_day = read_source(workplace), date.fromisoformat(day)
    written = False
    if action == "create":
        _, new_release, written = create(workplace, source, release_day)
        build_explorer(open_release(workplace.home.releases, new_release.name), workplace.home.root / "explorer" / new_release.name)
    else:
        new_release = build(policy.load(workplace.home.root), source, workplace.home.releases, release_day)
    return {**_summarise_release(new_release.files, new_release.name), "written": written, "overlapping": new_release.withheld}


def _summarise_release(files: dict[str, bytes], name: str) -> dict[str, Any]:
    from warehouse.releases import folder

    cube = folder.from_parquet(files[f"{folder.PUBLIC}/cube.parquet"])
    revised = folder.from_parquet(files[f"{folder.PUBLIC}/revisions.parquet"])
    manifest = json.loads(files[f"{folder.PUBLIC}/{folder.MANIFEST}"])
    new = cube[cube["edition"] == name]
    rows = revised.head(_MAX_ROWS).astype("object").where(revised.head(_MAX_ROWS).notna(), None).to_dict("records")
    return {
        "figures": manifest["figures"],
        "new": int(new["value"].notna().sum()),
        "revised": len(revised),
        "merged": int(new["cell"].str.contains("+", regex=False).sum()),
        "withheld": int(new["value"].isna().sum()),
        "by_status": {str(status): int(n) for status, n in new["status"].fillna("").value_counts().items()},
        "rows": rows,
        "signed_by": manifest["policy"]["signed_by"],
        "signed_on": manifest["policy"]["signed_on"],
    }


if __name__ == "__main__":
    run_job(build_release)
