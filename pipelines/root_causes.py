"""Find root causes: if a whole column or file has a fault, there is one finding on it, and the findings on its cells become consequences.

Belongs here: detecting faults of whole columns, shifted columns, and rows that are all broken in the same way; linking consequences to
their cause. Does not belong here: validating a cell (`pipelines.validation`) or a file (`sources.readers`).

There are three patterns. Each of them is looked for within one part (sheet or table) of a file of a delivery:

- *widespread*: at least `_MIN_FAULTY_SHARE` of the filled cells of a column, or of the rows, break the same rule. There must be at least
  `_MIN_FAULTY_ROWS` such cells, in at least `_MIN_SHARE_OF_ROWS` of all rows.
- *shifted*: the values of two or more columns are invalid, either in the whole file or in nearly all rows between two lines.
- *blank*: a column is empty or missing (rules `cross-column-blank`, `file-column-missing`), and each of its cells is reported as missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from schemas import findings
from schemas.findings import COLUMNS, SEVERITIES, rules

_MIN_FAULTY_SHARE = 0.8  # share of faulty cells or rows from which the whole column or file is at fault
_MIN_FAULTY_ROWS = 10
_MIN_SHARE_OF_ROWS = 0.1  # least share of all rows; a fault of a nearly empty column says nothing
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
_COLUMN_CAUSES = {
    "cross-column-blank": "cell-missing",
    "file-column-missing": "cell-missing",
    "file-codes-unknown": "cell-code-unknown",
}
"""Maps a rule on whole columns to the rule on single cells whose findings it explains."""
_SHIFTED, _THROUGHOUT = "file-columns-shifted", "fault-throughout"
_FILE_PART = ["delivery", "file", "part"]
_FAULT_KEY = [*_FILE_PART, "field", "rule"]
_WITHIN_ROW = ("row", "cell", "cross_field")


def add_root_causes(reported_findings: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Add findings on root causes to the findings of one institution, and mark the consequences (columns `origin` and `follows`).

    `reported_findings` has the columns `schemas.findings.COLUMNS`. `tables` has the typed rows of all deliveries. Findings of severity
    `info` stay unchanged, and no finding is removed.
    """
    if reported_findings.empty:
        return reported_findings
    all_findings = reported_findings.reset_index(drop=True)
    is_within_row = all_findings["rule"].isin([code for code, rule in rules().items() if rule.level in _WITHIN_ROW])
    actionable = (all_findings["severity"] != "info") & all_findings["file"].notna() & all_findings["follows"].isna()
    cell_findings = all_findings.loc[actionable & is_within_row, [*_FAULT_KEY, "severity", "line", "column"]].fillna(
        {"part": "", "field": ""}
    )
    cell_findings["follows"] = _find_column_causes(all_findings, cell_findings)
    rows = _list_delivered_rows(tables)
    widespread = _find_widespread_faults(cell_findings[cell_findings["follows"].isna()], rows, tables)
    shifts = _find_shifted_columns(cell_findings[cell_findings["follows"].isna()], widespread, rows)
    cell_findings["follows"] = cell_findings["follows"].fillna(_attribute_findings_to_shifted_columns(cell_findings, shifts))
    cell_findings["follows"] = cell_findings["follows"].mask(
        cell_findings["follows"].isna() & _has_equal_row(cell_findings, widespread, _FAULT_KEY), _THROUGHOUT
    )
    all_findings.loc[cell_findings.index, "follows"] = cell_findings["follows"].astype("str")
    all_findings.loc[all_findings["follows"].notna(), "origin"] = "consequence"
    causes = _make_cause_findings(cell_findings, shifts, widespread).assign(institution=all_findings["institution"].iloc[0])
    combined = (
        pd.concat([findings.complete_columns(causes), all_findings[list(COLUMNS)]], ignore_index=True)
        if len(causes)
        else all_findings[list(COLUMNS)]
    )
    return _link_unattributed_findings(combined)


def _has_equal_row(frame: pd.DataFrame, other: pd.DataFrame, key: list[str]) -> pd.Series:
    """Return for each row of `frame` whether a row of `other` has the same values in the columns `key`."""
    is_in = pd.MultiIndex.from_frame(frame[key].astype("str")).isin(pd.MultiIndex.from_frame(other[key].astype("str")))
    return pd.Series(is_in, index=frame.index)


def _find_column_causes(all_findings: pd.DataFrame, cell_findings: pd.DataFrame) -> pd.Series:
    """Return, for each finding on a cell, the rule of the finding on the whole column that explains it.

    It is null if there is no such finding.
    """
    key = ["delivery", "file", "field", "explains"]
    columns = all_findings.assign(explains=all_findings["rule"].map(_COLUMN_CAUSES))
    causes = columns[columns["explains"].notna()].drop_duplicates(key).set_index(key)["rule"]
    index = pd.MultiIndex.from_frame(cell_findings[[*key[:3], "rule"]])
    return pd.Series(causes.reindex(index).array, index=cell_findings.index, dtype="str")


def _list_delivered_rows(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the position of every delivered row. Columns: delivery, file, part, line."""
    parts = [_select_file_part_columns(frame).assign(line=frame["_line"]) for frame in tables.values()]
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True)


def _select_file_part_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the delivery, the file and the part of the file in which each row is."""
    return pd.DataFrame({"delivery": frame["_delivery"], "file": frame["_file"], "part": frame["_part"].fillna("")})


def _count_filled_cells(tables: Mapping[str, pd.DataFrame], fields: Collection[str]) -> pd.DataFrame:
    """Count the filled cells of the columns `fields`. Columns of the result: delivery, file, part, field, filled.

    If one part of a file contains several tables, their counts are added up.
    """
    parts = []
    for frame in tables.values():
        given = {name: frame[f"{name}:given"].astype(bool) for name in fields if f"{name}:given" in frame}
        if given:
            summed = (
                pd.concat([_select_file_part_columns(frame), pd.DataFrame(given)], axis=1)
                .groupby(_FILE_PART)[list(given)]
                .sum()
                .reset_index()
            )
            parts.append(summed.melt(_FILE_PART, var_name="field", value_name="filled"))
    counts = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_FILE_PART, "field", "filled"])
    return counts.groupby([*_FILE_PART, "field"])["filled"].sum().astype("float64").reset_index()


def _find_widespread_faults(cell_findings: pd.DataFrame, rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Find faults of a whole column, or of all rows of a file. Columns: delivery, file, part, field, rule, n (the number of faulty cells).

    `cell_findings` are findings on cells. `rows` comes from `_list_delivered_rows`.
    """
    counted = cell_findings.groupby(_FAULT_KEY).size().rename("n").reset_index()
    counted = counted[counted["n"] >= _MIN_FAULTY_ROWS]
    filled = _count_filled_cells(tables, counted["field"].unique())
    counted = counted.merge(rows.groupby(_FILE_PART).size().rename("rows").reset_index(), on=_FILE_PART, how="left")
    counted = counted.merge(filled, on=[*_FILE_PART, "field"], how="left")
    rejected = cell_findings[cell_findings["severity"] == "reject"].groupby(_FILE_PART).size().rename("aside")
    counted = counted.merge(rejected.reset_index(), on=_FILE_PART, how="left").fillna({"rows": 0, "aside": 0})
    of_row = counted["field"].eq("") | counted["rule"].eq("cell-missing")
    total = counted["filled"].mask(of_row, counted["rows"] + counted["aside"])
    return counted.loc[
        (counted["n"] >= _MIN_FAULTY_SHARE * total) & (counted["n"] >= _MIN_SHARE_OF_ROWS * counted["rows"]), [*_FAULT_KEY, "n"]
    ]


def _find_shifted_columns(cell_findings: pd.DataFrame, widespread: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Find the parts of files in which the columns are shifted.

    Columns: delivery, file, part, first and last (the first and the last shifted line; null if all rows are shifted). `widespread` comes
    from `_find_widespread_faults`.
    """
    unfit = widespread[widespread["rule"].isin(_UNFIT_VALUE_RULES) & (widespread["field"] != "")]
    columns = unfit.groupby(_FILE_PART)["field"].nunique()
    everywhere = columns[columns >= 2].reset_index()[_FILE_PART].assign(first=None, last=None)
    fields = (
        cell_findings[cell_findings["rule"].isin(_UNFIT_VALUE_RULES) & cell_findings["line"].notna()]
        .groupby([*_FILE_PART, "line"])["field"]
        .nunique()
    )
    unfit_rows = fields[fields >= 2].reset_index()
    runs = unfit_rows.groupby(_FILE_PART)["line"].agg(["size", "min", "max"]).reset_index()
    runs = runs[runs["size"] >= _MIN_FAULTY_ROWS].set_axis([*_FILE_PART, "n", "first", "last"], axis=1)
    between = rows.loc[rows["delivery"].isin(runs["delivery"].unique()), [*_FILE_PART, "line"]].merge(runs, on=_FILE_PART)
    between = between[between["line"].between(between["first"], between["last"])].groupby(_FILE_PART).size().rename("rows").reset_index()
    runs = runs.merge(between, on=_FILE_PART)
    runs = runs[(runs["n"] >= _MIN_FAULTY_SHARE * runs["rows"])]
    out = pd.concat([frame for frame in (everywhere, runs) if len(frame)] or [everywhere], ignore_index=True)
    return out.drop_duplicates(_FILE_PART)[[*_FILE_PART, "first", "last"]].astype({"first": "Int64", "last": "Int64"})


def _attribute_findings_to_shifted_columns(cell_findings: pd.DataFrame, shifts: pd.DataFrame) -> pd.Series:
    """Return, for each finding on a cell, the rule `_SHIFTED` if the cell is in a shifted row, otherwise null."""
    located = cell_findings[[*_FILE_PART, "line"]].merge(shifts.assign(here=True), on=_FILE_PART, how="left").set_index(cell_findings.index)
    is_shifted = located["here"].notna() & (
        located["first"].isna() | located["line"].between(located["first"], located["last"]).fillna(False)
    )
    return pd.Series(None, index=cell_findings.index, dtype="str").mask(is_shifted, _SHIFTED)


def _make_cause_findings(cell_findings: pd.DataFrame, shifts: pd.DataFrame, widespread: pd.DataFrame) -> pd.DataFrame:
    """Make a finding for each part with shifted columns, and for each widespread fault. It is as severe as its most severe consequence."""
    rank = {severity: n for n, severity in enumerate(SEVERITIES)}
    parts = []
    for rule, faults, key in ((_SHIFTED, shifts, _FILE_PART), (_THROUGHOUT, widespread, _FAULT_KEY)):
        consequences = cell_findings[(cell_findings["follows"] == rule) & _has_equal_row(cell_findings, faults, key)].sort_values(
            ["column", "line"], kind="stable"
        )
        by_cause = consequences.assign(_rank=consequences["severity"].map(rank)).groupby(key, sort=False)
        causes = by_cause.agg(
            line=("line", "min"), worst=("_rank", "min"), n=("line", "size"), names=("field", lambda f: ", ".join(f.unique()))
        )
        causes = causes.reset_index().assign(severity=lambda f: f["worst"].map(dict(enumerate(SEVERITIES))))
        if rule == _SHIFTED:
            causes["detail"] = causes["names"] + ": " + causes["n"].astype("str")
        else:
            causes["detail"] = causes["rule"] + ": " + causes["n"].astype("str")
        parts.append(causes.assign(rule=rule))
    out = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return out.reindex(columns=list(COLUMNS)).replace({"part": "", "field": ""}, None).assign(origin="cause")


def _link_unattributed_findings(all_findings: pd.DataFrame) -> pd.DataFrame:
    """Link each consequence whose cause is not known to the most severe cause in its delivery that makes rows or a file unreadable.

    An example is a finding on a person whose case cannot be read.
    """
    grave = all_findings[(all_findings["origin"] == "cause") & all_findings["severity"].isin(["reject", "error"])]
    rejecting = grave[(grave["severity"] == "reject") | grave["rule"].map({c: r.whole for c, r in rules().items()}).astype(bool)]
    first = rejecting.sort_values(["severity", "rule"], ascending=[False, True]).drop_duplicates("delivery").set_index("delivery")["rule"]
    is_unattributed = (all_findings["origin"] == "consequence") & all_findings["follows"].isna()
    all_findings.loc[is_unattributed, "follows"] = all_findings.loc[is_unattributed, "delivery"].map(first).astype("str")
    return all_findings
