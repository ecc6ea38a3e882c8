"""One delivery's report as data, and as JSON (`schemas/feedback.schema.json`).

Belongs here: what the report says, in what order. Does not belong here: how it looks (`page`, `console`) and where it is stored (`write`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pandas as pd

from schemas.findings import LANGUAGES, SEVERITIES, rules
from sources import contract as contracts
from sources.contract import DeliveryName

COUNTS = ("read", "accepted", "superseded", "withdrawn", "quarantined", "structural")
_ROW = ("file", "part", "line", "record_key", "field", "rule", "severity", "origin", "state", "value", "detail")
_RECEIVED = ("size", "sha256")  # of a file, where the caller knows them
_OF_THE_DELIVERY = ("complete", "partial", "unreadable")


@dataclass(frozen=True)
class Report:
    """What one institution is told about one delivery.

    files     file, state, `COUNTS`, and size and sha256 where known; sorted by file
    findings  `schemas.findings.COLUMNS` and state; most serious first, then by rule and place
    """

    institution: str
    delivery: str
    language: str
    received: date | None
    publisher: Mapping[str, str]
    contact: str | None
    files: pd.DataFrame
    findings: pd.DataFrame

    @property
    def name(self) -> DeliveryName | None:
        """Quarter and version, or None where the folder's name is no delivery."""
        return DeliveryName.parse(self.delivery)

    @property
    def next_delivery(self) -> str | None:
        """The name under which a correction of this delivery comes."""
        return str(DeliveryName(self.name.period, self.name.version + 1)) if self.name else None

    @cached_property
    def state(self) -> str:
        """complete, partial or unreadable, from the files that the institution was to deliver."""
        ours = self.files.loc[self.files["state"].isin(_OF_THE_DELIVERY), "state"]
        if not ours.isin(("complete", "partial")).any():
            return "unreadable"
        return "complete" if (ours == "complete").all() else "partial"

    @cached_property
    def counts(self) -> dict[str, int]:
        """Causes by severity, then consequences, then what was fixed."""
        open_ = self.findings[self.findings["state"] != "fixed"]
        causes = open_.loc[open_["origin"] == "cause", "severity"]
        return {
            **{severity: int((causes == severity).sum()) for severity in SEVERITIES},
            "consequences": int((open_["origin"] == "consequence").sum()),
            "fixed": int((self.findings["state"] == "fixed").sum()),
        }


def make(
    institution: str, delivery: str, files: pd.DataFrame, findings: pd.DataFrame, language: str, received: date | None = None
) -> Report:
    """The report of one delivery from its files and its findings (columns as in `Report`; a missing `state` of findings is `new`)."""
    publisher: Mapping[str, str] = dict.fromkeys(LANGUAGES, institution)
    contact = None
    if institution in contracts.institutions():
        contract = contracts.load(institution)
        publisher, contact = contract.publisher, contract.contact
    return Report(institution, delivery, language, received, publisher, contact, _files(files), _findings(findings))


def to_json(report: Report) -> str:
    """`findings.json`: every finding on a line of its own."""
    head = {
        "format": "harmonia.feedback/1",
        **_of_delivery(report),
        "language": report.language,
        "counts": report.counts,
        "files": _rows(report.files),
        "summary": _summary(report.findings),
        "rules": {code: _rule(code) for code in sorted(report.findings["rule"].unique())},
    }
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in _rows(report.findings[list(_ROW)]))
    text = json.dumps(head, ensure_ascii=False, indent=1)
    return f'{text[:-2]},\n "findings": [\n  {lines}\n ]\n}}\n' if lines else f'{text[:-2]},\n "findings": []\n}}\n'


def receipt(report: Report) -> str:
    """`receipt.json`: what came, in which state, and how much was found; also for a delivery that nobody can read."""
    said = {
        "format": "harmonia.receipt/1",
        **_of_delivery(report),
        "files": _rows(report.files),
        "counts": report.counts,
        "report": "findings.html",
    }
    return json.dumps(said, ensure_ascii=False, indent=1) + "\n"


def _of_delivery(report: Report) -> dict[str, Any]:
    return {
        "institution": report.institution,
        "delivery": report.delivery,
        "period": report.name.period if report.name else None,
        "version": report.name.version if report.name else None,
        "received": report.received.isoformat() if report.received else None,
        "state": report.state,
    }


def _files(files: pd.DataFrame) -> pd.DataFrame:
    known = [c for c in _RECEIVED if c in files]
    out = files.reindex(columns=["file", "state", *known, *COUNTS]).sort_values("file", ignore_index=True)
    out[list(COUNTS)] = out[list(COUNTS)].astype("Float64").fillna(0).astype("int64")
    return out


def _findings(findings: pd.DataFrame) -> pd.DataFrame:
    out = findings.assign(state=findings.get("state", "new"))
    rank = {severity: n for n, severity in enumerate(SEVERITIES)}
    number = out["rule"].map(out["rule"].value_counts()).astype("float64")
    out = out.assign(_rank=out["severity"].map(rank).astype("float64"), _fewer=-number)
    order = ["_rank", "_fewer", "rule", "origin", "file", "part", "line", "record_key", "field", "value", "state"]
    return out.sort_values(order, ignore_index=True, kind="stable", na_position="first").drop(columns=["_rank", "_fewer"])


def _summary(findings: pd.DataFrame) -> list[dict[str, Any]]:
    by = ["rule", "severity", "origin", "state"]
    counted = findings.groupby(by, sort=False, as_index=False).size().rename(columns={"size": "count"})
    return _rows(counted)


def _rule(code: str) -> dict[str, Any]:
    rule = rules()[code]
    return {"level": rule.level, "dimension": rule.dimension, "text": dict(rule.text), "action": dict(rule.action), "source": rule.source}


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain JSON values, null for missing."""
    columns = {c: frame[c].astype(object).where(frame[c].notna(), None).tolist() for c in frame.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
