"""Estimate how many published figures would change if the decision of linkage on a pair were reversed.

Belongs here: the estimate, for many pairs at once. Does not belong here: the order of the queue (`queue`), the exact figures
(`consequence`).

The estimate considers each indicator by calendar quarter and by year, both its grand total and the total of the offence group; so each
change counts twice. Each pair has two sides. The sides of a refused pair are the two clusters. The sides of a joined pair are one of its
two records, and all other records of the cluster; of the two records, that one is taken with which more figures change. If the decision
is reversed, a figure changes if both sides count in it: one side no longer counts (if a refused pair is joined), or counts in addition
(if a joined pair is separated).
- Persons count once per period: a figure changes if both sides have a row of the indicator in the same quarter, or in the same year. For
  indicators in which a person counts only once ever, the figures of the quarter and year of the later day change.
- A case counts once: if both sides have a row of the indicator, the figures of the quarter and year of the later row change. If a person
  is in both cases and the two rows are in different periods, figures that count this person also change.
`touched` is the number of figures in which either side counts. It decides the order of pairs that are otherwise equal, since the
breakdown of these figures by sex, age or offence may change.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from harmonia.review.published import RECORD, PublishedRun

FIGURES_PER_CHANGE = 2  # the grand total, and the total of the offence group
_PERIODS = ("quarter", "year")


def read_counted_rows(published_run: PublishedRun) -> pd.DataFrame:
    """Read which records count in which figures. The result has one row for each record and indicator.

    Its columns are indicator, unit (case or person), ever (whether a unit counts only once ever), institution, entity, record_key,
    case_key, case_id, person_id, quarter and year.
    """
    from warehouse.count.periods import find_quarter_of_each_day, find_year_of_each_day
    from warehouse.indicators import indicators

    rows = published_run.read_lake_table("statistics", "indicator_row")
    out = rows[rows["day"].notna()].reset_index(drop=True)
    out["day"] = pd.to_datetime(out["day"])  # Parquet gives days as objects
    once_ever = [code for code, one in indicators().items() if one.harmonised.once == "ever"]
    out = out.assign(
        ever=out["indicator"].isin(once_ever), quarter=find_quarter_of_each_day(out["day"]), year=find_year_of_each_day(out["day"])
    )
    return out[["indicator", "unit", "ever", "institution", "entity", "record_key", "case_key", "case_id", "person_id", *_PERIODS]]


def estimate_influence_on_figures(
    pairs: pd.DataFrame, counted_rows: pd.DataFrame, case_ids: pd.DataFrame, person_ids: pd.DataFrame
) -> pd.DataFrame:
    """Estimate for each pair how many figures would change if the decision on it were reversed. The result is indexed as `pairs`.

    `pairs` has the columns `PAIR` and joined (bool). `counted_rows` comes from `read_counted_rows`. `case_ids` has the columns
    institution, record_key and case_id; `person_ids` has institution, record_key and person_id. The result has the columns moves (number
    of figures that would change) and touched (number of figures in which either side counts).
    """
    out = pd.DataFrame({"moves": 0, "touched": 0}, index=pairs.index)
    for entity, ids, column in (("case", case_ids, "case_id"), ("person", person_ids, "person_id")):
        pairs_of_entity = pairs[pairs["entity"] == entity].reset_index(names="at")
        if pairs_of_entity.empty:
            continue
        table = ids.set_index(RECORD)[column]
        for side in "ab":
            keys = pd.MultiIndex.from_frame(pairs_of_entity[[f"institution_{side}", f"key_{side}"]])
            pairs_of_entity[f"id_{side}"] = table.reindex(keys).to_numpy()
        parts = [_select_counted_rows_of_pair_sides(pairs_of_entity, counted_rows, entity, column, alone) for alone in "ab"]
        moves = np.max([_count_changing_figures(part, entity, len(pairs_of_entity)) for part in parts], axis=0)
        touched = _count_figures_of_either_side(pd.concat(parts, ignore_index=True), len(pairs_of_entity))
        out.loc[pairs_of_entity["at"], ["moves", "touched"]] = np.column_stack([moves, touched])
    return out


def _select_counted_rows_of_pair_sides(
    pairs: pd.DataFrame, counted_rows: pd.DataFrame, entity: str, id_column: str, single_side: str
) -> pd.DataFrame:
    """Select the rows of `counted_rows` in which each side of each pair counts.

    The columns of the result are pair (row number), side (0 or 1), and those of `counted_rows`. `pairs` has the columns `PAIR`, joined,
    id_a and id_b, and all its pairs are of one `entity`. `id_column` is the column of `counted_rows` with the id of this entity.
    `single_side` says which record (`a` or `b`) of a joined pair is side 0; the other records of its cluster are side 1.
    """
    key = "record_key" if entity == "person" else "case_key"
    numbered = pairs[["id_a", "id_b", "joined", f"institution_{single_side}", f"key_{single_side}"]].reset_index(names="pair")
    parts = [numbered.rename(columns={f"id_{s}": id_column}).assign(side=n)[["pair", "side", id_column]] for n, s in enumerate("ab")]
    joined = numbered["joined"].to_numpy()
    apart = pd.concat([part[~joined] for part in parts], ignore_index=True).merge(counted_rows, on=id_column)
    if entity == "person":
        counted_rows = counted_rows[counted_rows["unit"] == "person"]
    joined_rows = numbered[joined].rename(columns={"id_a": id_column}).merge(counted_rows, on=id_column)
    mine = (joined_rows["institution"] == joined_rows[f"institution_{single_side}"]) & (
        joined_rows[key] == joined_rows[f"key_{single_side}"]
    )
    joined_rows = joined_rows.assign(side=np.where(mine, 0, 1))
    return pd.concat([apart, joined_rows[apart.columns]], ignore_index=True)


def _count_changing_figures(side_rows: pd.DataFrame, entity: str, pair_count: int) -> np.ndarray:
    """Count, for each pair, the figures that change if the decision on it is reversed."""
    if entity == "person":
        persons = side_rows[side_rows["unit"] == "person"]
        moved = sum(_count_groups_of_both_sides(persons[~persons["ever"]], ["indicator", period], pair_count) for period in _PERIODS)
        return FIGURES_PER_CHANGE * (
            moved + len(_PERIODS) * _count_groups_of_both_sides(persons[persons["ever"]], ["indicator"], pair_count)
        )
    cases = len(_PERIODS) * _count_groups_of_both_sides(side_rows[side_rows["unit"] == "case"], ["indicator"], pair_count)
    persons = side_rows[side_rows["unit"] == "person"]
    both = len(_PERIODS) * _count_groups_of_both_sides(persons, ["indicator", "person_id"], pair_count)
    once = sum(_count_groups_of_both_sides(persons, ["indicator", "person_id", period], pair_count) for period in _PERIODS)
    return FIGURES_PER_CHANGE * (cases + np.maximum(both - once, 0))


def _count_groups_of_both_sides(side_rows: pd.DataFrame, group_columns: list[str], pair_count: int) -> np.ndarray:
    """Count, for each pair, how many combinations of values in `group_columns` occur in the rows of both its sides."""
    groups = side_rows.groupby(["pair", *group_columns])["side"].nunique()
    both = groups[groups == 2].reset_index()["pair"]
    return np.bincount(both.to_numpy("int64"), minlength=pair_count)


def _count_figures_of_either_side(side_rows: pd.DataFrame, pair_count: int) -> np.ndarray:
    """Count, for each pair, the figures in which at least one of its sides counts."""
    total = np.zeros(pair_count, dtype="int64")
    for period in _PERIODS:
        cells = side_rows[["pair", "indicator", period]].drop_duplicates()
        total += np.bincount(cells["pair"].to_numpy("int64"), minlength=pair_count)
    return FIGURES_PER_CHANGE * total
