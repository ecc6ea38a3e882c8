"""The columns of findings, and the catalogue of quality rules.

Belongs here: the columns of a frame of findings, combining findings, reading the rules. The rules themselves are declared in
`schemas/rules/*.yaml`. The column `value` of a finding can contain the delivered cell. It is shown only in the feedback to the institution
that delivered it; it never reaches the warehouse, a log or Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from schemas.yaml_declarations import DeclarationError, convert_declaration, display_path, make_value_error, read_yaml

COLUMNS: tuple[str, ...] = (
    "institution",
    "delivery",
    "file",
    "part",
    "line",
    "record_key",
    "field",
    "rule",
    "severity",
    "origin",
    "value",
    "detail",
    "column",  # position of the field among the delivered columns, from 1; null if the format has no column order
    "unit",  # station, seat, court and branch, facility that the record belongs to
    "number",  # the institution's case number, if it differs from the record key
    "follows",  # if the finding is a consequence: the rule of the finding in the same delivery that caused it
)
SEVERITIES = ("reject", "error", "warning", "info")
LEVELS = ("delivery", "file", "row", "cell", "cross_field", "cross_table", "over_time", "cross_institution")
LANGUAGES = ("sq", "sr", "en")
DIMENSIONS = ("completeness", "validity", "consistency", "uniqueness", "timeliness", "accuracy")
TOLERANCES = {"reject": 0.02, "error": 0.02, "warning": 0.05, "info": 1.0}  # by severity; a rule can declare another tolerance
NUMBER_COLUMNS = ("line", "column")
_FIRST = 5  # how many rows are listed in a finding that covers several cells of a column
_MANY = 1000  # findings are combined if there are more than this for a column (severity `info`) or for a text in it (error, warning)
_COLUMN_KEY = ["delivery", "file", "part", "field", "rule"]
_SEVERAL = r"^(?P<cells>\d+): (?P<rows>.*)$"


@dataclass(frozen=True)
class Rule:
    """A quality rule.

    - `level`, `severity`, `dimension`: one of `LEVELS` (what it is about), `SEVERITIES` and `DIMENSIONS`
    - `text`, `action`: what is wrong and what to do, for the institution, in each language
    - `source`: where the rule comes from
    - `origin`: whether findings of this rule are a `cause` or a `consequence` of other findings
    - `share`: the share of a delivery's records that may break the rule before a check warns, in place of the one in `TOLERANCES`
    - `by_column`: whether all cells of a column that break the rule have one finding together. Its `detail` gives the number of cells and
      the first rows.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    code: str
    level: str
    severity: str
    dimension: str
    text: Mapping[str, str]
    action: Mapping[str, str]
    source: str
    origin: str = "cause"
    share: float | None = None
    by_column: bool = False

    @property
    def whole(self) -> bool:
        """Whether the rule applies to a file or delivery as a whole, not to a record."""
        return self.level in ("file", "delivery")

    @property
    def tolerance(self) -> float:
        """The share of a delivery's records that may break the rule. Rules on files and deliveries tolerate nothing unless they are only
        information.
        """
        if self.share is not None:
            return self.share
        return 0.0 if self.whole and self.severity != "info" else TOLERANCES[self.severity]


@cache
def rules() -> dict[str, Rule]:
    """Return all rules of `schemas/rules/*.yaml` by code. Raises `DeclarationError` for a rule that is incomplete or defined twice."""
    rules_by_code: dict[str, Rule] = {}
    for path in sorted((Path(__file__).parent / "rules").glob("*.yaml")):
        for code, spec in (read_yaml(path) or {}).items():
            if code in rules_by_code:
                raise DeclarationError(f"{display_path(path)}: rule {code} is defined twice: remove one")
            rule = convert_declaration(Rule, {**spec, "code": code} if isinstance(spec, Mapping) else spec, path, str(code))
            for key, allowed in (("severity", SEVERITIES), ("level", LEVELS), ("dimension", DIMENSIONS)):
                if getattr(rule, key) not in allowed:
                    raise make_value_error(path, f"{code}.{key}", getattr(rule, key), f"it must be one of {', '.join(allowed)}")
            for key in ("text", "action"):
                if lacking := [language for language in LANGUAGES if not getattr(rule, key).get(language)]:
                    raise DeclarationError(f"{display_path(path)}: {code}.{key} lacks {', '.join(lacking)}: add it")
            rules_by_code[code] = rule
    return rules_by_code


def combine_findings_on_cells_by_column(findings: pd.DataFrame) -> pd.DataFrame:
    """Combine findings on single cells to one finding for each column. All `findings` are of the same rule.

    They are combined if the rule has `by_column`, or if its severity is `info` and a column has more than `_MANY` findings.
    """
    rule = rules()[findings["rule"].iloc[0]]
    number = findings.groupby(_COLUMN_KEY, dropna=False)["rule"].transform("size")
    many = number > (0 if rule.by_column else _MANY if rule.severity == "info" else len(findings))
    return pd.concat([findings[~many], combine_findings_by_file_and_column(findings[many])], ignore_index=True) if many.any() else findings


def combine_findings_by_file_and_column(findings: pd.DataFrame) -> pd.DataFrame:
    """Combine findings on single cells to one finding for each rule and column of a file or a part of it (such as a sheet).

    `findings` has the columns delivery, file, part, line, record_key, field and rule. In the result, the column `detail` has the number of
    cells and the first rows.
    """
    key = _COLUMN_KEY
    rows = findings[key].assign(line=findings["line"], row=findings["line"].astype("str").fillna(findings["record_key"]))
    groups = rows.sort_values("line", kind="stable").groupby(key, dropna=False)["row"]
    combined = pd.DataFrame({"cells": groups.size(), "rows": groups.agg(_shorten_row_list)}).reset_index()
    ellipsis = (combined["cells"] > _FIRST).map({True: " …", False: ""})
    return combined[key].assign(detail=combined["cells"].astype("str") + ": " + combined["rows"] + ellipsis)


def combine_findings_with_same_text(findings: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Combine errors and warnings of a rule to one finding, if more than `_MANY` cells of a column have the same delivered text. All other
    findings are returned unchanged.

    `findings` has the columns `COLUMNS`. `records` has one row for each delivered row that is a record, with the columns delivery, file,
    part and line. Only findings on these rows are combined, since a record can be found again by its line. In a combined finding, the
    column `detail` has the number of cells and the numbers of all lines (see `parse_affected_lines`).
    """
    eligible = findings["rule"].isin(
        [code for code, rule in rules().items() if rule.level == "cell" and rule.severity in ("error", "warning")]
    )
    many = eligible & findings["line"].notna() & findings["detail"].isna()
    key = [*_COLUMN_KEY, "value", "severity", "origin", "follows"]
    many[many] = findings[many].groupby(key, dropna=False)["rule"].transform("size") > _MANY
    if not many.any():
        return findings
    location = ["delivery", "file", "part", "line"]
    records_of_deliveries = records[records["delivery"].isin(findings.loc[many, "delivery"].unique())]
    record_locations, finding_locations = (
        pd.MultiIndex.from_frame(rows[location].fillna({"part": ""})) for rows in (records_of_deliveries, findings[many])
    )
    many[many] = finding_locations.isin(record_locations)
    if not many.any():
        return findings
    groups = findings[many].groupby(key, dropna=False, sort=False)
    combined = groups.head(1).assign(line=None, record_key=None, unit=None, number=None)
    details = groups["line"].agg(lambda lines: f"{len(lines)}: {_format_line_ranges(lines)}")
    combined["detail"] = details.to_numpy()[groups.ngroup().loc[combined.index].to_numpy()]
    return complete_columns(pd.concat([findings[~many], combined], ignore_index=True))


def _format_line_ranges(lines: pd.Series) -> str:
    """Return line numbers as a sorted text, in which consecutive lines are a range: `2-4, 7`."""
    numbers = np.unique(lines.to_numpy("int64"))
    begins = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
    ends = np.append(begins[1:], len(numbers)) - 1
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(numbers[begins], numbers[ends], strict=True))


def parse_affected_lines(detail: str) -> list[int]:
    """Return the numbers of all lines in the text `detail` of a finding that `combine_findings_with_same_text` made."""
    runs = (run.partition("-") for run in detail.partition(": ")[2].split(", "))
    return [line for first, _, last in runs for line in range(int(first), int(last or first) + 1)]


def are_findings_on_several_cells(findings: pd.DataFrame) -> pd.Series:
    """Return for each finding whether `combine_findings_by_file_and_column` or `combine_findings_with_same_text` made it from findings on
    single cells of a column."""
    known = rules()
    of_cells = findings["rule"].isin([code for code in findings["rule"].unique() if known[code].by_column or known[code].level == "cell"])
    return of_cells & findings["line"].isna() & findings["record_key"].isna() & findings["detail"].str.match(_SEVERAL, na=False)


def count_cells(findings: pd.DataFrame) -> pd.Series:
    """Return the number of cells that each finding covers."""
    several = findings["detail"].where(are_findings_on_several_cells(findings)).astype("str").str.extract(_SEVERAL)["cells"]
    return several.fillna("1").astype("int64")


def shorten_details(details: pd.Series) -> pd.Series:
    """Return the column `detail` of findings for display: a list of more than `_FIRST` lines is cut after the first ones."""
    long = details.str.count(",").fillna(0) >= _FIRST
    return details.mask(long & details.str.match(_SEVERAL, na=False), details[long].map(_shorten_line_list))


def _shorten_line_list(detail: str) -> str:
    return ", ".join(detail.split(", ")[:_FIRST]) + " …"


def _shorten_row_list(rows: pd.Series) -> str:
    return ", ".join(rows.dropna().iloc[:_FIRST])


def list_cells_and_rows(findings: pd.DataFrame) -> list[tuple[int, str | None]]:
    """Return, for each finding, how many cells it covers, and a text with the first rows of these cells. The text is None if the finding
    covers a single cell or row."""
    split = shorten_details(findings["detail"].where(are_findings_on_several_cells(findings)).astype("str")).str.extract(_SEVERAL)
    return [(1, None) if pd.isna(cells) else (int(cells), rows) for cells, rows in split.itertuples(index=False, name=None)]


def build_findings(items: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Build a frame of findings with the columns `COLUMNS` from mappings, one for each finding. A missing severity or origin is taken from
    the rule."""
    return complete_columns(pd.DataFrame(list(items)))


def complete_columns(findings: pd.DataFrame) -> pd.DataFrame:
    """Return `findings` with exactly the columns `COLUMNS`. `findings` must have the column `rule`; a missing severity or origin is taken
    from the rule."""
    out = findings.reindex(columns=list(COLUMNS))
    if len(out):
        known = {code: rules()[code] for code in out["rule"].unique()}
        out["severity"] = out["severity"].astype("str").fillna(out["rule"].map({code: rule.severity for code, rule in known.items()}))
        out["origin"] = out["origin"].astype("str").fillna(out["rule"].map({code: rule.origin for code, rule in known.items()}))
    return out.astype({c: "Int64" if c in NUMBER_COLUMNS else "str" for c in COLUMNS})
