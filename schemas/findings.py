"""The shape of a finding, and the catalogue of rules behind it.

Belongs here: columns of the findings frame, the rule catalogue loader. Rules themselves are data in `schemas/rules/*.yaml`.
A finding may carry `value` (the delivered cell): it is shown only in the feedback to the institution that delivered it and
never reaches the warehouse, a log line or Dagster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

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
)
SEVERITIES = ("reject", "error", "warning", "info")
LEVELS = ("delivery", "file", "row", "cell", "cross_field", "cross_table", "over_time", "cross_institution")
LANGUAGES = ("sq", "sr", "en")


@dataclass(frozen=True)
class Rule:
    """One quality rule: what is checked, how grave it is, and what the supplier is told (`text`, `action` by language)."""

    code: str
    level: str
    severity: str
    dimension: str
    text: Mapping[str, str]
    action: Mapping[str, str]
    source: str
    origin: str = "cause"


@cache
def rules() -> dict[str, Rule]:
    """All rules of `schemas/rules/*.yaml` by code. Raises `ValueError` for a rule that is incomplete or defined twice."""
    found: dict[str, Rule] = {}
    for path in sorted((Path(__file__).parent / "rules").glob("*.yaml")):
        for code, spec in (yaml.safe_load(path.read_text("utf-8")) or {}).items():
            if code in found:
                raise ValueError(f"{path.name}: rule {code} is defined twice")
            rule = Rule(code=code, **spec)
            if rule.severity not in SEVERITIES or rule.level not in LEVELS:
                raise ValueError(f"{path.name}: rule {code}: unknown severity {rule.severity!r} or level {rule.level!r}")
            for language in LANGUAGES:
                if not rule.text.get(language) or not rule.action.get(language):
                    raise ValueError(f"{path.name}: rule {code} lacks its text or action in {language}")
            found[code] = rule
    return found


def frame(items: Iterable[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """Findings as a frame with exactly `COLUMNS`; severity and origin come from the rule unless given."""
    return complete(pd.DataFrame(list(items)))


def complete(found: pd.DataFrame) -> pd.DataFrame:
    """Any findings with at least `rule`, given exactly `COLUMNS`; severity and origin come from the rule unless given."""
    out = found.reindex(columns=list(COLUMNS))
    if len(out):
        known = {code: rules()[code] for code in out["rule"].unique()}
        out["severity"] = out["severity"].astype("str").fillna(out["rule"].map({code: rule.severity for code, rule in known.items()}))
        out["origin"] = out["origin"].astype("str").fillna(out["rule"].map({code: rule.origin for code, rule in known.items()}))
    out["line"] = out["line"].astype("Int64")
    text = [c for c in COLUMNS if c != "line"]
    out[text] = out[text].astype("str")
    return out
