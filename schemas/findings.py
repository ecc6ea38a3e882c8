"""The columns of a finding, and the catalogue of rules behind it.

Belongs here: columns of the findings frame, the loader of the rule catalogue. The rules themselves are data in `schemas/rules/*.yaml`. A
finding can carry `value`, the delivered cell: it is shown only in the feedback to the institution that delivered it, and never reaches
the warehouse, a log line or Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from schemas.declared import DeclarationError, checked, declared, shown, wrong

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
    "number",  # the institution's case number, if the record key is another
    "follows",  # of a consequence: the rule of the finding in the same delivery that caused it
)
SEVERITIES = ("reject", "error", "warning", "info")
LEVELS = ("delivery", "file", "row", "cell", "cross_field", "cross_table", "over_time", "cross_institution")
LANGUAGES = ("sq", "sr", "en")
DIMENSIONS = ("completeness", "validity", "consistency", "uniqueness", "timeliness", "accuracy")
TOLERANCES = {"reject": 0.02, "error": 0.02, "warning": 0.05, "info": 1.0}  # by severity, unless the rule sets another
NUMBERS = ("line", "column")
_FIRST = 5  # rows listed in a finding on a column
_MANY = 1000  # cells in a column above which findings are combined: information by column, errors and warnings by text
_COLUMN = ["delivery", "file", "part", "field", "rule"]
_SEVERAL = r"^(?P<cells>\d+): (?P<rows>.*)$"


@dataclass(frozen=True)
class Rule:
    """One quality rule: what is checked, its severity, and the texts for the supplier (`text`, `action` by language).

    `share`: the share of a delivery's records that may break it before a check warns, instead of `TOLERANCES` (rules on whole files and
    deliveries tolerate nothing). `by_column`: one finding for each file, part and column, not for each cell; its `detail` gives the number
    of cells and the first rows. For other rules on cells, very many cells with the same text are one finding (`combine_by_value`).
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
        """Whether the rule applies to a whole file or delivery, not to a record."""
        return self.level in ("file", "delivery")

    @property
    def tolerance(self) -> float:
        """The share of a delivery's records that may break the rule; 1 for what the form permits."""
        if self.share is not None:
            return self.share
        return 0.0 if self.whole and self.severity != "info" else TOLERANCES[self.severity]


@cache
def rules() -> dict[str, Rule]:
    """Return all rules of `schemas/rules/*.yaml` by code. Raises `DeclarationError` for a rule that is incomplete or defined twice."""
    found: dict[str, Rule] = {}
    for path in sorted((Path(__file__).parent / "rules").glob("*.yaml")):
        for code, spec in (declared(path) or {}).items():
            if code in found:
                raise DeclarationError(f"{shown(path)}: rule {code} is defined twice: remove one")
            rule = checked(Rule, {**spec, "code": code} if isinstance(spec, Mapping) else spec, path, str(code))
            for key, allowed in (("severity", SEVERITIES), ("level", LEVELS), ("dimension", DIMENSIONS)):
                if getattr(rule, key) not in allowed:
                    raise wrong(path, f"{code}.{key}", getattr(rule, key), f"it must be one of {', '.join(allowed)}")
            for key in ("text", "action"):
                if lacking := [language for language in LANGUAGES if not getattr(rule, key).get(language)]:
                    raise DeclarationError(f"{shown(path)}: {code}.{key} lacks {', '.join(lacking)}: add it")
            found[code] = rule
    return found


def fold_findings(found: pd.DataFrame) -> pd.DataFrame:
    """Combine findings of one rule in single cells to one finding for each column, if the rule requires it, or if they are information
    and very many."""
    rule = rules()[found["rule"].iloc[0]]
    number = found.groupby(_COLUMN, dropna=False)["rule"].transform("size")
    many = number > (0 if rule.by_column else _MANY if rule.severity == "info" else len(found))
    return pd.concat([found[~many], combine_by_column(found[many])], ignore_index=True) if many.any() else found


def combine_by_column(found: pd.DataFrame) -> pd.DataFrame:
    """Combine findings of one rule in single cells to one finding for each file, part and column. In: delivery, file, part, line,
    record_key, field. `detail` of the result has the number of cells and the first rows."""
    key = _COLUMN
    rows = found[key].assign(line=found["line"], row=found["line"].astype("str").fillna(found["record_key"]))
    groups = rows.sort_values("line", kind="stable").groupby(key, dropna=False)["row"]
    combined = pd.DataFrame({"cells": groups.size(), "rows": groups.agg(_first_rows)}).reset_index()
    more = (combined["cells"] > _FIRST).map({True: " …", False: ""})
    return combined[key].assign(detail=combined["cells"].astype("str") + ": " + combined["rows"] + more)


def combine_by_value(found: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """Combine errors and warnings in very many cells of one column with the same text to one finding. All others stay unchanged.

    found: `COLUMNS`. records: delivery, file, part, line of the rows that are records; only their findings are combined, since their
    lines identify them. `detail` of a combined finding has the number of cells and all lines (see `affected_lines`).
    """
    eligible = found["rule"].isin(
        [code for code, rule in rules().items() if rule.level == "cell" and rule.severity in ("error", "warning")]
    )
    many = eligible & found["line"].notna() & found["detail"].isna()
    key = [*_COLUMN, "value", "severity", "origin", "follows"]
    many[many] = found[many].groupby(key, dropna=False)["rule"].transform("size") > _MANY
    if not many.any():
        return found
    place = ["delivery", "file", "part", "line"]
    held = records[records["delivery"].isin(found.loc[many, "delivery"].unique())]
    known, asked = (pd.MultiIndex.from_frame(rows[place].fillna({"part": ""})) for rows in (held, found[many]))
    many[many] = asked.isin(known)
    if not many.any():
        return found
    groups = found[many].groupby(key, dropna=False, sort=False)
    one = groups.head(1).assign(line=None, record_key=None, unit=None, number=None)
    details = groups["line"].agg(lambda lines: f"{len(lines)}: {_format_runs(lines)}")
    one["detail"] = details.to_numpy()[groups.ngroup().loc[one.index].to_numpy()]
    return complete(pd.concat([found[~many], one], ignore_index=True))


def _format_runs(lines: pd.Series) -> str:
    """Return sorted lines as text, consecutive ones as a range: `2-4, 7`."""
    at = np.unique(lines.to_numpy("int64"))
    begins = np.flatnonzero(np.diff(at, prepend=at[0] - 2) != 1)
    ends = np.append(begins[1:], len(at)) - 1
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(at[begins], at[ends], strict=True))


def affected_lines(detail: str) -> list[int]:
    """Return all lines in the `detail` of a finding that `combine_by_value` made."""
    runs = (run.partition("-") for run in detail.partition(": ")[2].split(", "))
    return [line for first, _, last in runs for line in range(int(first), int(last or first) + 1)]


def covers_several_cells(found: pd.DataFrame) -> pd.Series:
    """Return whether each finding covers several cells of a column (see `combine_by_column`, `combine_by_value`)."""
    known = rules()
    of_cells = found["rule"].isin([code for code in found["rule"].unique() if known[code].by_column or known[code].level == "cell"])
    return of_cells & found["line"].isna() & found["record_key"].isna() & found["detail"].str.match(_SEVERAL, na=False)


def number_of_cells(found: pd.DataFrame) -> pd.Series:
    """Return the number of cells of each finding."""
    several = found["detail"].where(covers_several_cells(found)).astype("str").str.extract(_SEVERAL)["cells"]
    return several.fillna("1").astype("int64")


def shortened(details: pd.Series) -> pd.Series:
    """Return details for display: of many lines only the first ones."""
    long = details.str.count(",").fillna(0) >= _FIRST
    return details.mask(long & details.str.match(_SEVERAL, na=False), details[long].map(_first_lines))


def _first_lines(detail: str) -> str:
    return ", ".join(detail.split(", ")[:_FIRST]) + " …"


def _first_rows(rows: pd.Series) -> str:
    return ", ".join(rows.dropna().iloc[:_FIRST])


def cells_and_rows(found: pd.DataFrame) -> list[tuple[int, str | None]]:
    """Return, for each finding, the number of cells, and the rows that it lists (None: only its own row)."""
    split = shortened(found["detail"].where(covers_several_cells(found)).astype("str")).str.extract(_SEVERAL)
    return [(1, None) if pd.isna(cells) else (int(cells), rows) for cells, rows in split.itertuples(index=False, name=None)]


def frame(items: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Return findings as a frame with exactly `COLUMNS`. Severity and origin come from the rule unless given."""
    return complete(pd.DataFrame(list(items)))


def complete(found: pd.DataFrame) -> pd.DataFrame:
    """Extend findings, which have at least `rule`, to exactly `COLUMNS`. Severity and origin come from the rule unless given."""
    out = found.reindex(columns=list(COLUMNS))
    if len(out):
        known = {code: rules()[code] for code in out["rule"].unique()}
        out["severity"] = out["severity"].astype("str").fillna(out["rule"].map({code: rule.severity for code, rule in known.items()}))
        out["origin"] = out["origin"].astype("str").fillna(out["rule"].map({code: rule.origin for code, rule in known.items()}))
    return out.astype({c: "Int64" if c in NUMBERS else "str" for c in COLUMNS})
