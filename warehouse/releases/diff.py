"""Compare two releases: figures published differently and why; and, confidential, every exact figure that differs.

Belongs here: the tables of differences. Does not belong here: reasons (`reasons`), output on the terminal (`comparing`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from warehouse.disclosure.programme import (
    CROSS_SEPARATOR,
    HARMONISED,
    OFFENCE,
    QUARTER,
    REPORTED,
    SEX_AGE,
    TOTAL,
    TRAFFICKING,
    Programme,
    TableKey,
)
from warehouse.disclosure.protect import PublishedTables
from warehouse.indicators import indicators
from warehouse.releases import folder
from warehouse.releases.cube import prints_of
from warehouse.releases.reasons import CORRECTED, NEW, RULE, Snapshot, changed_rules, changed_units, record_changes

NAME = ["indicator", "measure", "table", "of"]
PUBLIC = [*NAME, "cell", "before", "after", "reasons"]
EXACT = [*NAME, "cell", "before", "after", "reason", "change"]


def snapshot(files: Mapping[str, bytes]) -> Snapshot:
    """The confidential part of a stored release, for finding reasons."""

    def table(name: str) -> pd.DataFrame:
        return folder.from_parquet(files[f"{folder.CONFIDENTIAL}/{name}.parquet"])

    manifest = json.loads(files[f"{folder.PUBLIC}/{folder.MANIFEST}"])
    versions = {**manifest["versions"], "model": manifest["linkage"]["model"]}
    return Snapshot(table("counted"), table("records"), table("judgements"), versions)


def printed(old: PublishedTables, new: PublishedTables) -> pd.DataFrame:
    """Figures that two releases publish differently: `PUBLIC` without reasons; before and after null if suppressed."""
    rows = []
    for key in sorted(old.keys() & new.keys()):
        if not old[key].has_same_content(new[key]):
            then, now = dict(old[key].cells), dict(new[key].cells)
            cells = [*now, *(c for c in then if c not in now)] or [""]
            rows += [(*key, cell, then.get(cell), now.get(cell)) for cell in cells if not cell or then.get(cell) != now.get(cell)]
    return pd.DataFrame(rows, columns=PUBLIC[:-1]).astype({"before": "Int64", "after": "Int64"})


def exact_differences(programme: Programme, old: Snapshot, new: Snapshot, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Every figure of the programme that differs, by reason: `EXACT`; `change` of all reasons adds up to after - before.

    before, after: `exact` of the two releases (from `exact.to_frame`). For as reported the change is not split: one row names all reasons.
    """
    both = before.merge(after, on=[*NAME, "cell"], how="outer", suffixes=("_old", "_new"))
    both = both.rename(columns={"value_old": "before", "value_new": "after"})
    both = both[both["before"].fillna(-1) != both["after"].fillna(-1)]
    by_unit = _by_cell(programme, changed_units(old, new))
    harmonised = both[both["measure"] == HARMONISED].merge(by_unit, on=[*NAME, "cell"], how="left")
    reported = both[both["measure"] == REPORTED]
    records = record_changes(old, new)
    why = {code: _reported_reasons(code, records, old, new) for code in reported["indicator"].unique()}
    reported = reported.assign(reason=reported["indicator"].map(why), change=reported["after"] - reported["before"])
    out = pd.concat([harmonised, reported], ignore_index=True)
    return out[EXACT].sort_values(EXACT[:5], kind="stable").reset_index(drop=True)


def _by_cell(programme: Programme, units: pd.DataFrame) -> pd.DataFrame:
    """Changes of units as changes of cells: `NAME`, cell, reason, change (without those that cancel out within a reason)."""
    rows = []
    for unit in units.to_dict("records"):
        said = programme.indicators.get(unit["indicator"])
        if said is None:
            continue
        mapped = {d: programme.category_of[d].get(unit[d], "") for d in (OFFENCE, "form", "sex", "age_group", "citizenship_group")}
        offence = mapped[OFFENCE] if mapped[OFFENCE] in said.offences else said.offences[-1]
        cells = {TOTAL: TOTAL, OFFENCE: offence}
        if offence == TRAFFICKING:
            own = {**mapped, QUARTER: unit[QUARTER], SEX_AGE: f"{mapped['sex']}{CROSS_SEPARATOR}{mapped['age_group']}"}
            cells |= {table: own[table] for table in said.tables}
        rows += [
            (*TableKey(unit["indicator"], HARMONISED, t, unit["year"]), cell, unit["reason"], unit["sign"]) for t, cell in cells.items()
        ]
    frame = pd.DataFrame(rows, columns=[*NAME, "cell", "reason", "change"])
    summed = frame.groupby([*NAME, "cell", "reason"])["change"].sum().reset_index()
    return summed[summed["change"] != 0]


def _reported_reasons(indicator: str, records: pd.DataFrame, old: Snapshot, new: Snapshot) -> str:
    """Why a figure as reported may differ: changes of its institutions' records (from `record_changes`), or another rule."""
    kinds = set(records.loc[records["institution"].isin(indicators()[indicator].institutions), "kind"])
    reasons = [kind for kind in (CORRECTED, NEW) if kind in kinds]
    return "+".join(reasons + ([RULE] if indicator in changed_rules(old.versions, new.versions) else [])) or RULE


def revisions(
    programme: Programme,
    prints: PublishedTables,
    before: PublishedTables,
    snapshots: Mapping[str, Snapshot],
    exact: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """The public list of revisions: `PUBLIC`, with the reasons by name, never the number of records.

    snapshots, exact: by release, those whose records the published tables count.
    """
    out = printed(before, prints)
    steps = [
        (before[key].source_release, prints[key].source_release)
        for key in map(TableKey._make, out[NAME].itertuples(index=False, name=None))
    ]
    found = {(a, b): exact_differences(programme, snapshots[a], snapshots[b], exact[a], exact[b]) for a, b in set(steps)}
    reasons = []
    for step, names in zip(steps, out[NAME].itertuples(index=False, name=None), strict=True):
        mine = found[step][(found[step][NAME] == list(names)).all(axis=1)]
        reasons.append("+".join(sorted({r for said in mine["reason"].dropna() for r in said.split("+")})))
    return out.assign(reasons=pd.Series(reasons, dtype="str"))[PUBLIC]


def public_diff(releases: Path, old: str, new: str) -> pd.DataFrame:
    """Figures that two releases publish differently, with the reasons given in the releases between: `PUBLIC`."""
    names = [n for n in folder.names(releases) if old < n <= new]
    cubes = {n: folder.from_parquet(folder.public(releases / n)["cube.parquet"]) for n in (old, new)}
    revised = [folder.from_parquet(folder.public(releases / n)["revisions.parquet"]) for n in names]
    out = printed(prints_of(cubes[old]), prints_of(cubes[new]))
    every = pd.concat(revised) if revised else pd.DataFrame(columns=PUBLIC)
    why = every.groupby(NAME)["reasons"].agg(lambda said: "+".join(sorted({r for one in said for r in one.split("+") if r})))
    return out.merge(why.rename("reasons").reset_index(), on=NAME, how="left")[PUBLIC]
