"""`python -m portal.coordinator.releasing FOLDER DAY preview|create`: what a release of a day would publish, or the release itself.

Both build the release whole, with its disclosure-risk test; a preview writes nothing. Belongs here: the summary that the page shows. Does
not belong here: any rule of a release (`warehouse.releases`).
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.resources.workplace import Workplace
from portal.job_result import run

_SHOWN = 60  # revised figures listed


def release(folder: Path, day: str, wish: str) -> dict[str, Any]:
    """Build the release of a day and summarise it. Raises `HarmoniaError` where it is refused, with the reason."""
    from harmonia.explorer.page import build as build_explorer
    from harmonia.release_source import read_source
    from warehouse.disclosure import policy
    from warehouse.releases.create import build, create
    from warehouse.releases.reading import open_release

    workplace = Workplace.from_environment()
    source, when = read_source(workplace), date.fromisoformat(day)
    written = False
    if wish == "create":
        _, made, written = create(workplace, source, when)
        build_explorer(open_release(workplace.home.releases, made.name), workplace.home.root / "explorer" / made.name)
    else:
        made = build(policy.load(workplace.home.root), source, workplace.home.releases, when)
    return {**_summary(made.files, made.name), "written": written, "overlapping": made.withheld}


def _summary(files: dict[str, bytes], name: str) -> dict[str, Any]:
    from warehouse.releases import folder

    cube = folder.from_parquet(files[f"{folder.PUBLIC}/cube.parquet"])
    revised = folder.from_parquet(files[f"{folder.PUBLIC}/revisions.parquet"])
    manifest = json.loads(files[f"{folder.PUBLIC}/{folder.MANIFEST}"])
    new = cube[cube["edition"] == name]
    rows = revised.head(_SHOWN).astype("object").where(revised.head(_SHOWN).notna(), None).to_dict("records")
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
    run(release)
