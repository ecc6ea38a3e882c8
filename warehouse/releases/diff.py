"""Compare two releases. The result is the list of figures that were published differently, with the reasons, and a confidential list of all
exact figures that differ.

Belongs here: the tables of differences. Does not belong here: reasons (`reasons`), output on the terminal (`diff_lines`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from warehouse.disclosure.programme import (
    CROSS_SEPARATOR,
    HARMONISED,
    LEADING,
    OFFENCE,
    QUARTER,
    REPORTED,
    SEX_AGE,
    TOTAL,
    Programme,
    TableKey,
)
from warehouse.disclosure.protect import PublishedTables
from warehouse.indicators import indicators
from warehouse.releases import folder
from warehouse.releases.cube import convert_cube_to_tables
from warehouse.releases.reasons import (
    CORRECTED,
    NEW,
    RULE,
    ReleaseSnapshot,
    compare_records_of_releases,
    find_indicators_with_changed_rules,
    find_units_counted_differently,
)

TABLE_NAME = ["indicator", "measure", "table", "of"]
CELL_NAME = [*TABLE_NAME, "cell"]
PUBLIC_COLUMNS = [*CELL_NAME, "before", "after", "reasons"]
EXACT_COLUMNS = [*CELL_NAME, "before", "after", "reason", "change"]


def read_snapshot_of_release(files: Mapping[str, bytes]) -> ReleaseSnapshot:
    """Read the confidential part of a stored release, to find reasons for differences."""

    def table(name: str) -> pd.DataFrame:
        return folder.from_parquet(files[f"{folder.CONFIDENTIAL}/{name}.parquet"])

    manifest = json.loads(files[f"{folder.PUBLIC}/{folder.MANIFEST}"])
    versions = {**manifest["versions"], "model": manifest["linkage"]["model"]}
    return ReleaseSnapshot(table("counted"), table("records"), table("judgements"), versions)


def find_published_differences(old: PublishedTables, new: PublishedTables) -> pd.DataFrame:
    """Return the figures that two releases publish differently. Columns out: `PUBLIC_COLUMNS` without `reasons`; `before` and `after` are
    null if the figure is suppressed."""
    rows = []
    for key in sorted(old.keys() & new.keys()):
        if not old[key].has_same_content(new[key]):
            before, after = dict(old[key].cells), dict(new[key].cells)
            cells = [*after, *(cell for cell in before if cell not in after)] or [""]
            rows += [(*key, cell, before.get(cell), after.get(cell)) for cell in cells if not cell or before.get(cell) != after.get(cell)]
    return pd.DataFrame(rows, columns=PUBLIC_COLUMNS[:-1]).astype({"before": "Int64", "after": "Int64"})


def find_exact_differences(
    programme: Programme, old: ReleaseSnapshot, new: ReleaseSnapshot, old_figures: pd.DataFrame, new_figures: pd.DataFrame
) -> pd.DataFrame:
    """Return every exact figure of the programme that differs between two releases. Columns out: `EXACT_COLUMNS`.

    A harmonised figure has one row for each reason; the column `change` of these rows adds up to after - before. A figure as reported has
    only one row, which names all possible reasons. old_figures, new_figures: the table `exact` of the two releases (from
    `exact.convert_counts_to_frame`).
    """
    both = old_figures.merge(new_figures, on=CELL_NAME, how="outer", suffixes=("_old", "_new"))
    both = both.rename(columns={"value_old": "before", "value_new": "after"})
    both = both[both["before"].fillna(-1) != both["after"].fillna(-1)]
    changes = _sum_changes_by_cell(programme, find_units_counted_differently(old, new))
    harmonised = both[both["measure"] == HARMONISED].merge(changes, on=CELL_NAME, how="left")
    reported = both[both["measure"] == REPORTED]
    records = compare_records_of_releases(old, new)
    reasons = {code: _find_reasons_for_reported_figure(code, records, old, new) for code in reported["indicator"].unique()}
    reported = reported.assign(reason=reported["indicator"].map(reasons), change=reported["after"] - reported["before"])
    differences = pd.concat([harmonised, reported], ignore_index=True)
    return differences[EXACT_COLUMNS].sort_values(CELL_NAME, kind="stable").reset_index(drop=True)


def _sum_changes_by_cell(programme: Programme, units: pd.DataFrame) -> pd.DataFrame:
    """Add up the changes of units by cell and reason. Columns out: `CELL_NAME`, reason, change. There is no row if the changes of a cell
    for one reason add up to 0."""
    rows = []
    for unit in units.to_dict("records"):
        indicator = programme.indicators.get(unit["indicator"])
        if indicator is None:
            continue
        categories = {d: programme.category_of[d].get(unit[d], "") for d in (OFFENCE, "form", "sex", "age_group", "citizenship_group")}
        offence = categories[OFFENCE] if categories[OFFENCE] in indicator.offences else indicator.offences[-1]
        cells = {TOTAL: TOTAL, OFFENCE: offence}
        if offence == LEADING:
            categories |= {QUARTER: unit[QUARTER], SEX_AGE: f"{categories['sex']}{CROSS_SEPARATOR}{categories['age_group']}"}
            cells |= {table: categories[table] for table in indicator.tables}
        for table, cell in cells.items():
            rows.append((unit["indicator"], HARMONISED, table, unit["year"], cell, unit["reason"], unit["sign"]))
    changes = pd.DataFrame(rows, columns=[*CELL_NAME, "reason", "change"])
    summed = changes.groupby([*CELL_NAME, "reason"])["change"].sum().reset_index()
    return summed[summed["change"] != 0]


def _find_reasons_for_reported_figure(indicator: str, records: pd.DataFrame, old: ReleaseSnapshot, new: ReleaseSnapshot) -> str:
    """Return the possible reasons why a figure as reported differs: the records of its institutions changed
    (`compare_records_of_releases`), or its rule changed."""
    kinds = set(records.loc[records["institution"].isin(indicators()[indicator].institutions), "kind"])
    reasons = [kind for kind in (CORRECTED, NEW) if kind in kinds]
    return "+".join(reasons + ([RULE] if indicator in find_indicators_with_changed_rules(old.versions, new.versions) else [])) or RULE


def list_public_revisions(
    programme: Programme,
    tables: PublishedTables,
    previous: PublishedTables,
    snapshots: Mapping[str, ReleaseSnapshot],
    exact: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Return the public list of revisions (columns: `PUBLIC_COLUMNS`). It names the reasons, but does not say how many records changed.

    previous: the tables of the last release. snapshots: the snapshot of each release whose records the published tables count. exact: the
    exact figures of each of these releases.
    """
    revised = find_published_differences(previous, tables)
    keys = [TableKey(*names) for names in revised[TABLE_NAME].itertuples(index=False, name=None)]
    sources = [(previous[key].source_release, tables[key].source_release) for key in keys]
    differences = {
        (old, new): find_exact_differences(programme, snapshots[old], snapshots[new], exact[old], exact[new]) for old, new in set(sources)
    }
    reasons = []
    for source, key in zip(sources, keys, strict=True):
        table = differences[source][(differences[source][TABLE_NAME] == list(key)).all(axis=1)]
        reasons.append(_combine_reason_texts(table["reason"].dropna()))
    return revised.assign(reasons=pd.Series(reasons, dtype="str"))[PUBLIC_COLUMNS]


def _combine_reason_texts(texts: pd.Series) -> str:
    """Combine texts such as `new_records+review` to one text of the same form, which names each reason once."""
    return "+".join(sorted({reason for text in texts for reason in text.split("+") if reason}))


def list_public_differences_between_releases(releases: Path, old: str, new: str) -> pd.DataFrame:
    """Return the figures that two releases publish differently. The reasons are those that the newer release, and the releases between the
    two, give for the same table. Columns out: `PUBLIC_COLUMNS`."""

    def table(release: str, name: str) -> pd.DataFrame:
        return folder.from_parquet(folder.read_public_files(releases / release)[f"{name}.parquet"])

    differences = find_published_differences(convert_cube_to_tables(table(old, "cube")), convert_cube_to_tables(table(new, "cube")))
    lists = [table(release, "revisions") for release in folder.release_names(releases) if old < release <= new]
    all_revisions = pd.concat(lists) if lists else pd.DataFrame(columns=PUBLIC_COLUMNS)
    reasons = all_revisions.groupby(TABLE_NAME)["reasons"].agg(_combine_reason_texts)
    return differences.merge(reasons.rename("reasons").reset_index(), on=TABLE_NAME, how="left")[PUBLIC_COLUMNS]
