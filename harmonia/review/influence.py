"""The number of published figures that the opposite decision on a pair would change.

Belongs here: the measure, for many pairs at once. Does not belong here: the order of the queue (`queue`).

A figure is an indicator × quarter, or × year: as grand total and as the cell of its offence group, so that each counts twice. Reversing a
decision changes a figure where both sides count in it now and only one would (a refused pair), or the reverse (a joined pair). The sides:
of a refused pair the two clusters; of a joined pair one record and the rest of its cluster, whichever of the two records changes more.

- Persons count once per period: a figure changes where both sides have a row of the indicator in the same quarter, or the same year.
  Two suspects in one quarter weigh more than two in different years. Where persons count once ever, quarter and year of the later day
  change.
- A case counts once: where both sides have a row of the indicator, quarter and year of the later one change. So do those of a person
  that both cases share, where the two rows are in different periods.

`touched` counts the figures in which either side counts; it breaks ties, since sex, age or offence may change there.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from harmonia.review.published import RECORD, PublishedRun

EACH = 2  # the grand total, and the cell of the offence group
_PERIODS = ("quarter", "year")


def counted_rows(found: PublishedRun) -> pd.DataFrame:
    """The rows behind the figures: one row per record and indicator in which it counts.

    Columns: indicator, unit (case, person), ever (counts once ever), institution, entity, record_key, case_key, case_id, person_id,
    quarter, year.
    """
    from warehouse.count.periods import quarter_of, year_of
    from warehouse.indicators import indicators

    rows = found.table("statistics", "indicator_row")
    out = rows[rows["day"].notna()].reset_index(drop=True)
    out["day"] = pd.to_datetime(out["day"])  # Parquet gives days as objects
    once_ever = [code for code, one in indicators().items() if one.harmonised.once == "ever"]
    out = out.assign(ever=out["indicator"].isin(once_ever), quarter=quarter_of(out["day"]), year=year_of(out["day"]))
    return out[["indicator", "unit", "ever", "institution", "entity", "record_key", "case_key", "case_id", "person_id", *_PERIODS]]


def count_influence(pairs: pd.DataFrame, rows: pd.DataFrame, cases: pd.DataFrame, persons: pd.DataFrame) -> pd.DataFrame:
    """Per pair the number of figures that would change (`moves`) and in which either side counts (`touched`), indexed as `pairs`.

    pairs: `PAIR`, joined (bool); rows: from `counted_rows`; cases, persons: institution, record_key, case_id or person_id.
    """
    out = pd.DataFrame({"moves": 0, "touched": 0}, index=pairs.index)
    for entity, ids, column in (("case", cases, "case_id"), ("person", persons, "person_id")):
        own = pairs[pairs["entity"] == entity].reset_index(names="at")
        if own.empty:
            continue
        table = ids.set_index(RECORD)[column]
        for side in "ab":
            keys = pd.MultiIndex.from_frame(own[[f"institution_{side}", f"key_{side}"]])
            own[f"id_{side}"] = table.reindex(keys).to_numpy()
        parts = [_rows_of_sides(own, rows, entity, column, alone) for alone in "ab"]
        moves = np.max([_count_moved_figures(part, entity, len(own)) for part in parts], axis=0)
        touched = _count_touched_figures(pd.concat(parts, ignore_index=True), len(own))
        out.loc[own["at"], ["moves", "touched"]] = np.column_stack([moves, touched])
    return out


def _rows_of_sides(pairs: pd.DataFrame, rows: pd.DataFrame, entity: str, column: str, alone: str) -> pd.DataFrame:
    """Rows of either side of each pair: `pair` (position), `side` (0, 1), and the columns of `rows`.

    Of a joined pair side 0 is record `alone`, side 1 the rest of the cluster.
    """
    key = "record_key" if entity == "person" else "case_key"
    places = pairs[["id_a", "id_b", "joined", f"institution_{alone}", f"key_{alone}"]].reset_index(names="pair")
    parts = [places.rename(columns={f"id_{s}": column}).assign(side=n)[["pair", "side", column]] for n, s in enumerate("ab")]
    one = places["joined"].to_numpy()
    apart = pd.concat([part[~one] for part in parts], ignore_index=True).merge(rows, on=column)
    if entity == "person":
        rows = rows[rows["unit"] == "person"]
    whole = places[one].rename(columns={"id_a": column}).merge(rows, on=column)
    mine = (whole["institution"] == whole[f"institution_{alone}"]) & (whole[key] == whole[f"key_{alone}"])
    whole = whole.assign(side=np.where(mine, 0, 1))
    return pd.concat([apart, whole[apart.columns]], ignore_index=True)


def _count_moved_figures(sides: pd.DataFrame, entity: str, pairs: int) -> np.ndarray:
    if entity == "person":
        persons = sides[sides["unit"] == "person"]
        found = sum(_count_shared_groups(persons[~persons["ever"]], ["indicator", period], pairs) for period in _PERIODS)
        return EACH * (found + len(_PERIODS) * _count_shared_groups(persons[persons["ever"]], ["indicator"], pairs))
    cases = len(_PERIODS) * _count_shared_groups(sides[sides["unit"] == "case"], ["indicator"], pairs)
    persons = sides[sides["unit"] == "person"]
    both = len(_PERIODS) * _count_shared_groups(persons, ["indicator", "person_id"], pairs)
    once = sum(_count_shared_groups(persons, ["indicator", "person_id", period], pairs) for period in _PERIODS)
    return EACH * (cases + np.maximum(both - once, 0))


def _count_shared_groups(sides: pd.DataFrame, by: list[str], pairs: int) -> np.ndarray:
    """Count, for each pair, the groups `by` in which both sides have a row."""
    groups = sides.groupby(["pair", *by])["side"].nunique()
    both = groups[groups == 2].reset_index()["pair"]
    return np.bincount(both.to_numpy("int64"), minlength=pairs)


def _count_touched_figures(sides: pd.DataFrame, pairs: int) -> np.ndarray:
    total = np.zeros(pairs, dtype="int64")
    for period in _PERIODS:
        cells = sides[["pair", "indicator", period]].drop_duplicates()
        total += np.bincount(cells["pair"].to_numpy("int64"), minlength=pairs)
    return EACH * total
