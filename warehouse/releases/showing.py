"""A release as text, for the terminal. Belongs here: the layout. Does not belong here: reading (`reading`)."""

from __future__ import annotations

import pandas as pd

from warehouse.releases.labels import category, gap_text, label, status_text, words
from warehouse.releases.labels import language as known
from warehouse.releases.reading import Release


def cell_label(row: pd.Series, language: str) -> str:
    """The label of a row of the cube: its category."""
    if row["table"] in ("total", "quarter"):
        return str(row["period"]) if row["table"] == "quarter" else label("offence_group", "total", language)
    return category(row["table"], row["cell"], language)


def figure(row: pd.Series, language: str) -> str:
    """The figure of a row, or the text in its place."""
    return str(int(row["value"])) if pd.notna(row["value"]) else status_text(row["status"], language, row["limit"])


def text(release: Release, language: str) -> str:
    """The whole release: a heading, then every table of every indicator."""
    language = known(language)
    said, lines = release.manifest, []
    lines.append(f"{release.name}  harmonia {said['versions']['harmonia']}  {said['linkage']['model']}  {said['policy']['signed_by']}")
    lines += [f"linked {s['entity']}: {s['linked']:.1%}" for s in said["linkage"]["shares"]]
    titles = release.table("definitions").set_index("indicator")[f"title_{language}"]
    cube = release.cube.assign(order=release.cube["indicator"].map({code: n for n, code in enumerate(titles.index)}))
    tables = {name: n for n, name in enumerate(words()["table"])}
    cube = cube.assign(rank=cube["table"].map(tables)).sort_values(
        ["order", "measure", "rank", "of"], ascending=[True, False, True, True], kind="stable"
    )
    for names, part in cube.groupby(["indicator", "measure", "table", "of"], sort=False):
        indicator, measure, table, of = map(str, names)
        head = f"{titles[indicator]} | {of} | {label('table', table, language)} | {label('measure', measure, language)}"
        cells = [f"{cell_label(row, language)}: {figure(row, language)}".lstrip(": ") for _, row in part.iterrows()]
        notes = [gap_text(m, language) for m in part["missing"].dropna().unique()]
        notes += [words()["note"]["revised"][language]] if part["revised"].any() else []
        lines.append(f"{head}: {'; '.join(cells)}{' (' + '; '.join(notes) + ')' if notes else ''}")
    return "\n".join(lines)
