"""Finds root causes: a fault of a whole column or file is one finding, and the findings of its cells are its consequences.

Belongs here: detecting faults of a whole column, shifted columns and rows that are broken in the same way; linking consequences to their
cause. Does not belong here: validating a cell (`pipelines.validation`) or a file (`sources.readers`).

There are three patterns, each within one delivery, file and part:

- *throughout*: at least `_MOST` of a column's filled cells (or of the rows) break one rule. They are at least `_FEWEST`, and in at least
  `_LEAST` of all rows.
- *shifted*: the values of two or more columns are invalid, throughout or in nearly all rows between a first and a last one.
- *blank*: a column is empty or missing (`cross-column-blank`, `file-column-missing`), and its cells are reported as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from schemas import findings
from schemas.findings import COLUMNS, SEVERITIES, rules

_MOST = 0.8  # minimum share of cells or rows for a fault of the column or the file
_FEWEST = 10
_LEAST = 0.1  # minimum share of all rows: a fault of a nearly empty column says nothing
_UNFIT_VALUE_RULES = (
    "cell-date-unreadable",
    "cell-date-impossible",
    "cell-code-unknown",
    "cell-country-unknown",
    "cell-number-unreadable",
    "cell-integer-unreadable",
    "cell-article-unknown",
    "cell-words-unknown",
    "cell-reference-unreadable",
    "cell-sentence-unreadable",
    "cell-personal-number-invalid",
    "cell-missing",
)
_BLANK = ("cross-column-blank", "file-column-missing")
_SHIFTED, _THROUGHOUT = "file-columns-shifted", "fault-throughout"
_PLACE = ["delivery", "file", "part"]
_FAULT = [*_PLACE, "field", "rule"]
_WITHIN_ROW = ("row", "cell", "cross_field")


def root_causes(found: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the findings (`schemas.findings.COLUMNS`) of one institution, with findings added for the causes, and with consequences
    marked (`origin`, `follows`).

    tables: typed, of all deliveries. Findings of severity `info` are unchanged. No finding is removed.
    """
    if found.empty:
        return found
    every = found.reset_index(drop=True)
    within = every["rule"].isin([code for code, rule in rules().items() if rule.level in _WITHIN_ROW])
    actionable = (every["severity"] != "info") & every["file"].notna() & every["follows"].isna()
    cells = every.loc[actionable & within, [*_FAULT, "severity", "line", "column"]].fillna({"part": "", "field": ""})
    cells["follows"] = _rules_of_blank_columns(every, cells)
    rows = _list_rows(tables)
    through = _find_faults_throughout(cells[cells["follows"].isna()], rows, tables)
    shifts = _find_shifts(cells[cells["follows"].isna()], through, rows)
    cells["follows"] = cells["follows"].fillna(_attribute_to_shifts(cells, shifts))
    cells["follows"] = cells["follows"].mask(cells["follows"].isna() & _is_in(cells, through, _FAULT), _THROUGHOUT)
    every.loc[cells.index, "follows"] = cells["follows"].astype("str")
    every.loc[every["follows"].notna(), "origin"] = "consequence"
    causes = _make_causes(cells, shifts, through).assign(institution=every["institution"].iloc[0])
    combined = pd.concat([findings.complete(causes), every[list(COLUMNS)]], ignore_index=True) if len(causes) else every[list(COLUMNS)]
    return _link_unattributed(combined)


def _is_in(frame: pd.DataFrame, other: pd.DataFrame, key: list[str]) -> pd.Series:
    """Return whether each row of `frame` has its values of the columns `key` in a row of `other`."""
    found = pd.MultiIndex.from_frame(frame[key].astype("str")).isin(pd.MultiIndex.from_frame(other[key].astype("str")))
    return pd.Series(found, index=frame.index)


def _rules_of_blank_columns(every: pd.DataFrame, cells: pd.DataFrame) -> pd.Series:
    """Return, for each cell that is reported as missing, the rule of the finding on its column as a whole; null if there is none."""
    key = ["delivery", "file", "field"]
    columns = every.loc[every["rule"].isin(_BLANK), [*key, "rule"]].drop_duplicates(key).set_index(key)["rule"]
    index = pd.MultiIndex.from_frame(cells[key])
    return pd.Series(columns.reindex(index).array, index=cells.index, dtype="str").where(cells["rule"] == "cell-missing", None)


def _list_rows(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the delivered rows. Columns: delivery, file, part, line."""
    parts = [_file_parts(frame).assign(line=frame["_line"]) for frame in tables.values()]
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True)


def _file_parts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return delivery, file and part of each row."""
    return pd.DataFrame({"delivery": frame["_delivery"], "file": frame["_file"], "part": frame["_part"].fillna("")})


def _count_filled_cells(tables: Mapping[str, pd.DataFrame], fields: Collection[str]) -> pd.DataFrame:
    """Count the filled cells of the columns `fields`. Columns: delivery, file, part, field, filled. Tables in the same part of a file
    are added up."""
    parts = []
    for frame in tables.values():
        given = {name: frame[f"{name}:given"].astype(bool) for name in fields if f"{name}:given" in frame}
        if given:
            summed = pd.concat([_file_parts(frame), pd.DataFrame(given)], axis=1).groupby(_PLACE)[list(given)].sum().reset_index()
            parts.append(summed.melt(_PLACE, var_name="field", value_name="filled"))
    every = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_PLACE, "field", "filled"])
    return every.groupby([*_PLACE, "field"])["filled"].sum().astype("float64").reset_index()


def _find_faults_throughout(cells: pd.DataFrame, rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Find faults of a whole column, or of all rows of a file. Columns: delivery, file, part, field, rule, n (number of cells)."""
    counted = cells.groupby(_FAULT).size().rename("n").reset_index()
    counted = counted[counted["n"] >= _FEWEST]
    filled = _count_filled_cells(tables, counted["field"].unique())
    counted = counted.merge(rows.groupby(_PLACE).size().rename("rows").reset_index(), on=_PLACE, how="left")
    counted = counted.merge(filled, on=[*_PLACE, "field"], how="left")
    aside = cells[cells["severity"] == "reject"].groupby(_PLACE).size().rename("aside")
    counted = counted.merge(aside.reset_index(), on=_PLACE, how="left").fillna({"rows": 0, "aside": 0})
    of_row = counted["field"].eq("") | counted["rule"].eq("cell-missing")
    total = counted["filled"].mask(of_row, counted["rows"] + counted["aside"])
    return counted.loc[(counted["n"] >= _MOST * total) & (counted["n"] >= _LEAST * counted["rows"]), [*_FAULT, "n"]]


def _find_shifts(cells: pd.DataFrame, through: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Find shifted columns. Columns: delivery, file, part, first and last (line of the shifted rows; null: all rows)."""
    unfit = through[through["rule"].isin(_UNFIT_VALUE_RULES) & (through["field"] != "")]
    columns = unfit.groupby(_PLACE)["field"].nunique()
    everywhere = columns[columns >= 2].reset_index()[_PLACE].assign(first=None, last=None)
    fields = cells[cells["rule"].isin(_UNFIT_VALUE_RULES) & cells["line"].notna()].groupby([*_PLACE, "line"])["field"].nunique()
    odd = fields[fields >= 2].reset_index()
    runs = odd.groupby(_PLACE)["line"].agg(["size", "min", "max"]).reset_index()
    runs = runs[runs["size"] >= _FEWEST].set_axis([*_PLACE, "n", "first", "last"], axis=1)
    between = rows.loc[rows["delivery"].isin(runs["delivery"].unique()), [*_PLACE, "line"]].merge(runs, on=_PLACE)
    between = between[between["line"].between(between["first"], between["last"])].groupby(_PLACE).size().rename("rows").reset_index()
    runs = runs.merge(between, on=_PLACE)
    runs = runs[(runs["n"] >= _MOST * runs["rows"])]
    out = pd.concat([frame for frame in (everywhere, runs) if len(frame)] or [everywhere], ignore_index=True)
    return out.drop_duplicates(_PLACE)[[*_PLACE, "first", "last"]].astype({"first": "Int64", "last": "Int64"})


def _attribute_to_shifts(cells: pd.DataFrame, shifts: pd.DataFrame) -> pd.Series:
    """Return the rule `_SHIFTED` for the cells in shifted rows; null for others."""
    at = cells[[*_PLACE, "line"]].merge(shifts.assign(here=True), on=_PLACE, how="left").set_index(cells.index)
    through = at["here"].notna() & (at["first"].isna() | at["line"].between(at["first"], at["last"]).fillna(False))
    return pd.Series(None, index=cells.index, dtype="str").mask(through, _SHIFTED)


def _make_causes(cells: pd.DataFrame, shifts: pd.DataFrame, through: pd.DataFrame) -> pd.DataFrame:
    """Make a finding for each shift and each fault throughout, with the highest severity of its consequences."""
    rank = {severity: n for n, severity in enumerate(SEVERITIES)}
    parts = []
    for rule, places, key in ((_SHIFTED, shifts, _PLACE), (_THROUGHOUT, through, _FAULT)):
        own = cells[(cells["follows"] == rule) & _is_in(cells, places, key)].sort_values(["column", "line"], kind="stable")
        by = own.assign(_rank=own["severity"].map(rank)).groupby(key, sort=False)
        one = by.agg(line=("line", "min"), worst=("_rank", "min"), n=("line", "size"), names=("field", lambda f: ", ".join(f.unique())))
        one = one.reset_index().assign(severity=lambda f: f["worst"].map(dict(enumerate(SEVERITIES))))
        if rule == _SHIFTED:
            one["detail"] = one["names"] + ": " + one["n"].astype("str")
        else:
            one["detail"] = one["rule"] + ": " + one["n"].astype("str")
        parts.append(one.assign(rule=rule))
    out = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return out.reindex(columns=list(COLUMNS)).replace({"part": "", "field": ""}, None).assign(origin="cause")


def _link_unattributed(found: pd.DataFrame) -> pd.DataFrame:
    """Link consequences without a cause (e.g. a person whose case row is unreadable) to the gravest cause of their delivery."""
    grave = found[(found["origin"] == "cause") & found["severity"].isin(["reject", "error"])]
    aside = grave[(grave["severity"] == "reject") | grave["rule"].map({c: r.whole for c, r in rules().items()}).astype(bool)]
    first = aside.sort_values(["severity", "rule"], ascending=[False, True]).drop_duplicates("delivery").set_index("delivery")["rule"]
    alone = (found["origin"] == "consequence") & found["follows"].isna()
    found.loc[alone, "follows"] = found.loc[alone, "delivery"].map(first).astype("str")
    return found
