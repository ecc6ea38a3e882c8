"""One institution's scorecard as HTML pages, one per language, readable by the running user only.

Belongs here: the content of the page and its order, names and permissions of its files. Does not belong here: the counting, texts
(`texts.yaml`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from pipelines.errors import storage
from pipelines.feedback.texts import visible
from pipelines.swap import write_whole
from schemas.declared import declared
from schemas.findings import DIMENSIONS, LANGUAGES
from sources import contract as contracts

_HERE = Path(__file__).parent
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


@cache
def texts() -> dict[str, dict[str, Any]]:
    """The texts of the page by language."""
    found: dict[str, dict[str, Any]] = declared(_HERE / "texts.yaml")
    return found


def pages(quality: pd.DataFrame, institution: str) -> dict[str, str]:
    """File name -> page: `scorecard.html` in the institution's language, `scorecard.<language>.html` in the others.

    quality: rows of the table `quality` of any institutions; only those of `institution` are used.
    """
    contract = contracts.load(institution)
    names = {code: "scorecard.html" if code == contract.language else f"scorecard.{code}.html" for code in LANGUAGES}
    shown = _shown(quality[quality["institution"] == institution])
    content = {**shown, "names": names, "languages": {code: texts()[code]["language"] for code in LANGUAGES}}
    template = _environment().get_template("scorecard.html.j2")
    return {
        names[code]: template.render(language=code, t=texts()[code], publisher=contract.publisher[code], **content) for code in LANGUAGES
    }


def write_scorecard(home: Path, quality: pd.DataFrame, institution: str) -> list[Path]:
    """Write the pages to `scorecards/<institution>/` of the home, mode 0600. Raises `HarmoniaError` where they cannot be written."""
    folder = home / "scorecards" / institution
    out = []
    with storage(folder):
        for private in (folder.parent, folder):
            private.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            private.chmod(_PRIVATE_FOLDER)
    for name, page in pages(quality, institution).items():
        write_whole(folder / name, page.encode(), _PRIVATE_FILE)
        out.append(folder / name)
    return out


def _shown(own: pd.DataFrame) -> dict[str, Any]:
    """The content of the page, in its order; missing cells as None."""
    known = own.astype(object).where(own.notna(), None)
    whole = known[own["unit"].isna()]
    delivered = whole[(whole["records"] > 0) | (whole["whole"] > 0)]
    if delivered.empty:
        return {"newest": None}
    newest = max(delivered["period"])
    by = {dimension: whole[whole["dimension"] == dimension].sort_values("period").to_dict("records") for dimension in DIMENSIONS}
    assessed = [dimension for dimension in DIMENSIONS if any(row["score"] is not None for row in by[dimension])]
    parts = known[own["unit"].notna() & (own["period"] == newest) & own["dimension"].isin(assessed)]
    units = {
        visible(str(unit)): rows.set_index("dimension", drop=False).loc[assessed].to_dict("records") for unit, rows in parts.groupby("unit")
    }
    return {
        "newest": newest,
        "now": [next(row for row in by[dimension] if row["period"] == newest) for dimension in DIMENSIONS],
        "course": by,
        "periods": sorted(whole["period"].unique()),
        "assessed": assessed,
        "units": units,
    }


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader([_HERE / "templates", _HERE.parent / "feedback" / "templates"])
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
