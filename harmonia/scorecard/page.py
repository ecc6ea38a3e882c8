"""One institution's scorecard as HTML pages, one per language. Only the user who runs Harmonia can read them.

Belongs here: the content of the page and its order, names and permissions of its files. Does not belong here: the counting, texts
(`texts.yaml`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from harmonia.atomic_files import write_small_file
from harmonia.errors import convert_storage_errors
from harmonia.feedback.texts import make_visible
from schemas.findings import DIMENSIONS, LANGUAGES
from schemas.yaml_declarations import read_yaml
from sources import contract as contracts
from warehouse.indicators import indicators
from warehouse.releases.labels import find_labels_of_offence_groups

_HERE = Path(__file__).parent
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


@cache
def load_texts() -> dict[str, dict[str, Any]]:
    """Read the texts of the page. The result maps a language to its texts."""
    texts: dict[str, dict[str, Any]] = read_yaml(_HERE / "texts.yaml")
    return texts


def render_pages(quality: pd.DataFrame, institution: str, yardsticks: pd.DataFrame | None = None) -> dict[str, str]:
    """Render the pages. The result maps the name of a file to its HTML.

    `scorecard.html` is in the institution's language, and `scorecard.<language>.html` in each other language. `quality` and `yardsticks`
    are rows of the tables `quality` and `yardstick`. They may be about any institutions; only those about `institution` are used.
    """
    contract = contracts.load(institution)
    names = {code: "scorecard.html" if code == contract.language else f"scorecard.{code}.html" for code in LANGUAGES}
    page_content = _make_page_content(quality[quality["institution"] == institution])
    published = [] if yardsticks is None else _sort_published_figures(yardsticks[yardsticks["institution"] == institution])
    content = {
        **page_content,
        "published": published,
        "names": names,
        "languages": {code: load_texts()[code]["language"] for code in LANGUAGES},
    }
    template = _make_template_environment().get_template("scorecard.html.j2")
    return {
        names[code]: template.render(
            language=code,
            t=load_texts()[code],
            publisher=contract.publisher[code],
            titles={one: indicator.title[code] for one, indicator in indicators().items()},
            groups=find_labels_of_offence_groups(code),
            **content,
        )
        for code in LANGUAGES
    }


def write_scorecard(home: Path, quality: pd.DataFrame, institution: str, yardsticks: pd.DataFrame | None = None) -> list[Path]:
    """Write the pages to `scorecards/<institution>/` of the home (mode 0600); return their paths. Raises `HarmoniaError` if that fails."""
    folder = home / "scorecards" / institution
    paths = []
    with convert_storage_errors(folder):
        for directory in (folder.parent, folder):
            directory.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
            directory.chmod(_PRIVATE_FOLDER)
    for name, page in render_pages(quality, institution, yardsticks).items():
        write_small_file(folder / name, page.encode(), _PRIVATE_FILE)
        paths.append(folder / name)
    return paths


def _make_page_content(rows_of_institution: pd.DataFrame) -> dict[str, Any]:
    """Return the content of the page, in the order in which it is shown. A missing value is None."""
    cells = rows_of_institution.astype(object).where(rows_of_institution.notna(), None)
    institution_rows = cells[rows_of_institution["unit"].isna()]
    delivered = institution_rows[(institution_rows["records"] > 0) | (institution_rows["whole"] > 0)]
    if delivered.empty:
        return {"newest": None}
    newest = max(delivered["period"])
    by_dimension = {
        dimension: institution_rows[institution_rows["dimension"] == dimension].sort_values("period").to_dict("records")
        for dimension in DIMENSIONS
    }
    assessed = [dimension for dimension in DIMENSIONS if any(row["score"] is not None for row in by_dimension[dimension])]
    unit_rows = cells[
        rows_of_institution["unit"].notna() & (rows_of_institution["period"] == newest) & rows_of_institution["dimension"].isin(assessed)
    ]
    units = {
        make_visible(str(unit)): rows.set_index("dimension", drop=False).loc[assessed].to_dict("records")
        for unit, rows in unit_rows.groupby("unit")
    }
    return {
        "newest": newest,
        "now": [next(row for row in by_dimension[dimension] if row["period"] == newest) for dimension in DIMENSIONS],
        "course": by_dimension,
        "periods": sorted(institution_rows["period"].unique()),
        "assessed": assessed,
        "units": units,
    }


def _sort_published_figures(yardsticks: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the institution's rows of the table `yardstick`, by year, the latest first, and then by quarter. Missing values are None."""
    ordered = yardsticks.assign(order=yardsticks["indicator"].map({code: one.order for code, one in indicators().items()}))
    ordered = ordered.sort_values(["period", "order", "offence_group", "source"], kind="stable")
    rows = ordered.sort_values("period", key=lambda period: period.str[:4], ascending=False, kind="stable")
    rows_shown: list[dict[Any, Any]] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    hidden = {"as_reported": None, "gap": None, "exceeds_tolerance": False}  # of others' records
    return [row if row["institution"] in indicators()[row["indicator"]].institutions else {**row, **hidden} for row in rows_shown]


@cache
def _make_template_environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader([_HERE / "templates", _HERE.parent / "feedback" / "templates"])
    return jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
