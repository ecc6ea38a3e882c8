"""A release as text, for the terminal. Belongs here: the layout. Does not belong here: reading (`reading`)."""

from __future__ import annotations

import pandas as pd

from warehouse.releases.labels import category_label, label_of_code, label_texts, missing_text, require_language, status_text
from warehouse.releases.reading import Release


def cell_label(row: pd.Series, language: str) -> str:
    """Return the label of a row of the cube: its category."""
    if row["table"] in ("total", "quarter"):
        return str(row["period"]) if row["table"] == "quarter" else label_of_code("offence_group", "total", language)
    return category_label(row["table"], row["cell"], language)


def figure_text(row: pd.Series, language: str) -> str:
    """Return the figure of a row, or the text in its place."""
    return str(int(row["value"])) if pd.notna(row["value"]) else status_text(row["status"], language, row["limit"])


def release_text(release: Release, language: str) -> str:
    """Return the whole release: a heading, then every table of every indicator."""
    language = require_language(language)
    manifest = release.manifest
    versions, linkage = manifest["versions"], manifest["linkage"]
    lines = [f"{release.name}  harmonia {versions['harmonia']}  {linkage['model']}  {manifest['policy']['signed_by']}"]
    lines += [f"linked {share['entity']}: {share['linked']:.1%}" for share in linkage["shares"]]
    titles = release.table("definitions").set_index("indicator")[f"title_{language}"]
    indicator_order = {code: n for n, code in enumerate(titles.index)}
    table_order = {name: n for n, name in enumerate(label_texts()["table"])}
    cube = release.cube.assign(
        indicator_order=release.cube["indicator"].map(indicator_order), table_order=release.cube["table"].map(table_order)
    ).sort_values(["indicator_order", "measure", "table_order", "of"], ascending=[True, False, True, True], kind="stable")
    for names, rows in cube.groupby(["indicator", "measure", "table", "of"], sort=False):
        indicator, measure, table, of = map(str, names)
        heading = f"{titles[indicator]} | {of} | {label_of_code('table', table, language)} | {label_of_code('measure', measure, language)}"
        cells = [f"{cell_label(row, language)}: {figure_text(row, language)}".lstrip(": ") for _, row in rows.iterrows()]
        notes = [missing_text(missing, language) for missing in rows["missing"].dropna().unique()]
        notes += [label_texts()["note"]["revised"][language]] if rows["revised"].any() else []
        lines.append(f"{heading}: {'; '.join(cells)}{' (' + '; '.join(notes) + ')' if notes else ''}")
    return "\n".join(lines)
