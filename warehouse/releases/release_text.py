"""Write a release as text, for the terminal. Belongs here: the layout. Does not belong here: reading (`reading`)."""

from __future__ import annotations

import pandas as pd

from warehouse.releases.labels import (
    find_label_of_code,
    make_label_of_cell,
    make_text_of_figure_status,
    make_text_of_missing_deliveries,
    read_labels,
    require_language,
)
from warehouse.releases.reading import Release


def make_label_of_cube_row(row: pd.Series, language: str) -> str:
    """Return the label of a row of the cube: its category."""
    if row["table"] in ("total", "quarter"):
        return str(row["period"]) if row["table"] == "quarter" else find_label_of_code("offence_group", "total", language)
    return make_label_of_cell(row["table"], row["cell"], language)


def format_figure_of_cube_row(row: pd.Series, language: str) -> str:
    """Return the figure of a row of the cube or, if it is suppressed, the text that is shown in its place."""
    return str(int(row["value"])) if pd.notna(row["value"]) else make_text_of_figure_status(row["status"], language, row["limit"])


def render_release_as_text(release: Release, language: str) -> str:
    """Return the whole release: a heading, then every table of every indicator."""
    language = require_language(language)
    manifest = release.manifest
    versions, linkage = manifest["versions"], manifest["linkage"]
    lines = [f"{release.name}  harmonia {versions['harmonia']}  {linkage['model']}  {manifest['policy']['signed_by']}"]
    lines += [f"linked {share['entity']}: {share['linked']:.1%}" for share in linkage["shares"]]
    titles = release.table("definitions").set_index("indicator")[f"title_{language}"]
    indicator_order = {code: n for n, code in enumerate(titles.index)}
    table_order = {name: n for n, name in enumerate(read_labels()["table"])}
    cube = release.cube.assign(
        indicator_order=release.cube["indicator"].map(indicator_order), table_order=release.cube["table"].map(table_order)
    ).sort_values(["indicator_order", "measure", "table_order", "of"], ascending=[True, False, True, True], kind="stable")
    for names, rows in cube.groupby(["indicator", "measure", "table", "of"], sort=False):
        indicator, measure, table, of = map(str, names)
        table_label, measure_label = find_label_of_code("table", table, language), find_label_of_code("measure", measure, language)
        heading = f"{titles[indicator]} | {of} | {table_label} | {measure_label}"
        cells = [
            f"{make_label_of_cube_row(row, language)}: {format_figure_of_cube_row(row, language)}".lstrip(": ")
            for _, row in rows.iterrows()
        ]
        notes = [make_text_of_missing_deliveries(missing, language) for missing in rows["missing"].dropna().unique()]
        notes += [read_labels()["note"]["revised"][language]] if rows["revised"].any() else []
        lines.append(f"{heading}: {'; '.join(cells)}{' (' + '; '.join(notes) + ')' if notes else ''}")
    return "\n".join(lines)
