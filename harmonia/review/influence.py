"""Estimate how many published figures would change if the decision of linkage on a pair were reversed.

Belongs here: the estimate, for many pairs at once. Does not belong here: the order of the queue (`queue`), the exact figures
(`consequence`).

The figures considered are each indicator by calendar quarter and by year. Each is considered as the grand total and as the total of the
offence group; so each change counts twice. Reversing the decision changes a figure if both sides of the pair count in it. Then one of them
no longer counts (if a refused pair is joined), or counts in addition (if a joined pair is separated). The sides of a refused
pair are the two clusters. The sides of a joined pair are one record and the rest of its cluster. Of the two records, that one is taken with
which more figures change.

- Persons count once per period: a figure changes if both sides have a row of the indicator in the same quarter, or in the same year. For
  indicators in which a person counts only once ever, the figures of the quarter and year of the later day change.
- A case counts once: if both sides have a row of the indicator, the figures of the quarter and year of the later one change. So do those of
  a person that is in both cases, if the two rows are in different periods.

`touched` is the number of figures in which either side counts. It decides between pairs that are otherwise equal, since the breakdown of
these figures by sex, age or offence may change.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from harmonia.review.published import RECORD, PublishedRun

FIGURES_PER_CHANGE = 2  # the grand total, and the total of the offence group
_PERIODS = ("quarter", "year")


def read_counted_rows(published_run: PublishedRun) -> pd.DataFrame:
    """Read which records count in which figures. The result has one row for each record and indicator.

    Its columns are indicator, unit (case, person), ever (whether a unit counts only once ever), institution, entity, record_key, case_key,
    case_id, person_id, quarter and year.
    """
    from warehouse.count.periods import quarter_of, year_of
    from warehouse.indicators import indicators

    rows = published_run.table("statistics", "indicator_row")
    out = rows[rows["day"].notna()].reset_index(drop=True)
    out["day"] = pd.to_datetime(out["day"])  # Parquet gives days as objects
    once_ever = [code for code, one in indicators().items() if one.harmonised.once == "ever"]
    out = out.assign(ever=out["indicator"].isin(once_ever), quarter=quarter_of(out["day"]), year=year_of(out["day"]))
    return out[["indicator", "unit", "ever", "institution", "entity", "record_key", "case_key", "case_id", "person_id", *_PERIODS]]


def count_influence(pairs: pd.DataFrame, rows: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """Estimate for each pair how many figures would change if the decision on it were reversed. The result is indexed as `pairs`.

    `pairs` has the columns `PAIR` and joined (bool). `rows` comes from `read_counted_rows`. `cases` has the columns institution, record_key
    and case_id; `persons` has institution, record_key and person_id. The result has the columns moves (figures that would change) and
    touched (figures in which either record counts).
    """
    out = pd.DataFrame({"moves": 0, "touched": 0}, index=pairs.index)
    for entity, ids, column in (("case", cases, "case_id"), ("person", persons, "person_id")):
        pairs_of_entity = pairs[pairs["entity"] == entity].reset_index(names="at")
        if pairs_of_entity.empty:
            continue
        table = ids.set_index(RECORD)[column]
        for side in "ab":
            keys = pd.MultiIndex.from_frame(pairs_of_entity[[f"institution_{side}", f"key_{side}"]])
            pairs_of_entity[f"id_{side}"] = table.reindex(keys).to_numpy()
        parts = [_select_rows_of_sides(pairs_of_entity, rows, entity, column, alone) for alone in "ab"]
        moves = np.max([_count_moved_figures(part, entity, len(pairs_of_entity)) for part in parts], axis=0)
        touched = _count_touched_figures(pd.concat(parts, ignore_index=True), len(pairs_of_entity))
        out.loc[pairs_of_entity["at"], ["moves", "touched"]] = np.column_stack([moves, touched])
    return out


def _select_rows_of_sides(pairs: pd.DataFrame, rows: pd.DataFrame, entity: str, column: str, alone: str) -> pd.DataFrame:
    """Select the rows in which each side of each pair counts. The columns of the result are pair (row number), side (0, 1), and those of
    `rows`.

    `pairs` has the columns `PAIR`, joined, id_a and id_b, and all its pairs are of one `entity`. `column` is the name of the entity's id in
    `rows`. `alone` says which record (`a` or `b`) of a joined pair is side 0; the rest of its cluster is side 1.
    """
    key = "record_key" if entity == "person" else "case_key"
    numbered = pairs[["id_a", "id_b", "joined", f"institution_{alone}", f"key_{alone}"]].reset_index(names="pair")
    parts = [numbered.rename(columns={f"id_{s}": column}).assign(side=n)[["pair", "side", column]] for n, s in enumerate("ab")]
    joined = numbered["joined"].to_numpy()
    apart = pd.concat([part[~joined] for part in parts], ignore_index=True).merge(rows, on=column)
    if entity == "person":
        rows = rows[rows["unit"] == "person"]
    joined_rows = numbered[joined].rename(columns={"id_a": column}).merge(rows, on=column)
    mine = (joined_rows["institution"] == joined_rows[f"institution_{alone}"]) & (joined_rows[key] == joined_rows[f"key_{alone}"])
    joined_rows = joined_rows.assign(side=np.where(mine, 0, 1))
    return pd.concat([apart, joined_rows[apart.columns]], ignore_index=True)


def _count_moved_figures(sides: pd.DataFrame, entity: str, pairs: int) -> np.ndarray:
    if entity == "person":
        persons = sides[sides["unit"] == "person"]
        moved = sum(_count_shared_groups(persons[~persons["ever"]], ["indicator", period], pairs) for period in _PERIODS)
        return FIGURES_PER_CHANGE * (moved + len(_PERIODS) * _count_shared_groups(persons[persons["ever"]], ["indicator"], pairs))
    cases = len(_PERIODS) * _count_shared_groups(sides[sides["unit"] == "case"], ["indicator"], pairs)
    persons = sides[sides["unit"] == "person"]
    both = len(_PERIODS) * _count_shared_groups(persons, ["indicator", "person_id"], pairs)
    once = sum(_count_shared_groups(persons, ["indicator", "person_id", period], pairs) for period in _PERIODS)
    return FIGURES_PER_CHANGE * (cases + np.maximum(both - once, 0))


def _count_shared_groups(sides: pd.DataFrame, by: list[str], pairs: int) -> np.ndarray:
    """Count, for each pair, the combinations of values in the columns `by` for which both sides have a row."""
    groups = sides.groupby(["pair", *by])["side"].nunique()
    both = groups[groups == 2].reset_index()["pair"]
    return np.bincount(both.to_numpy("int64"), minlength=pairs)


def _count_touched_figures(sides: pd.DataFrame, pairs: int) -> np.ndarray:
    total = np.zeros(pairs, dtype="int64")
    for period in _PERIODS:
        cells = sides[["pair", "indicator", period]].drop_duplicates()
        total += np.bincount(cells["pair"].to_numpy("int64"), minlength=pairs)
    return FIGURES_PER_CHANGE * total
