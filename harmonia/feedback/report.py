"""The content of the report to an institution on one of its deliveries, as data and as JSON (`schemas/feedback.schema.json`).

Does not belong here: layout (`page`, `workbook`, `console`), storing the report (`write`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import pandas as pd

from harmonia.feedback.finding_states import COLUMNS_WITH_STATE
from schemas.findings import LANGUAGES, SEVERITIES, rules, shorten_details
from sources import contract as contracts
from sources.completeness_states import delivery_state
from sources.contract import DeliveryName

_to_json_text = json.JSONEncoder(ensure_ascii=False).encode
COUNTS = ("read", "accepted", "superseded", "withdrawn", "quarantined", "structural")
_PLACE = ("file", "part", "line", "cell", "record_key", "number", "unit", "field")
_ROW = ("finding", *_PLACE, "rule", "severity", "origin", "follows", "state", "since", "answer", "value", "detail", "figures")
RECEIVED = ("size", "sha256")  # of a file; optional
_DELIVERY = ["institution", "delivery"]


@dataclass(frozen=True)
class Report:
    """The report to an institution on one of its deliveries.

    received   day of receipt
    publisher  name of the institution, by language
    contact    whom the institution can ask
    files      file, state, `COUNTS` (numbers of rows); size, sha256 and delivery_state if known; sorted by file
    findings   `harmonia.feedback.finding_states.COLUMNS_WITH_STATE`, answer; cell: e.g. E17, null if the file is not a workbook;
               listed: whether the finding has a separate row (a warning or worse, or what only the institution can check; others are
               counted per column). Most serious first, then by rule and position. Findings that the institution answered as no error
               are left out
    no_error   number of findings that the institution answered as no error
    figures    the figures that each open finding affects. Columns: finding, indicator, period
    foremost   the figures that are affected by most findings. Columns: indicator, period, findings (number of findings)
    trend      this delivery and the deliveries before it. Columns: delivery, records, open, fixed
    """

    institution: str
    delivery: str
    language: str
    received: date | None
    publisher: Mapping[str, str]
    contact: str | None
    files: pd.DataFrame
    findings: pd.DataFrame
    no_error: int = 0
    figures: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["finding", "indicator", "period"], dtype="str"))
    foremost: pd.DataFrame = field(default_factory=pd.DataFrame)
    trend: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def name(self) -> DeliveryName | None:
        """Period and version of the delivery; None if the name of its folder is not that of a delivery."""
        return DeliveryName.parse(self.delivery)

    @property
    def next_delivery(self) -> str | None:
        """The name that a corrected version of this delivery must have; None if `name` is None."""
        return str(DeliveryName(self.name.period, self.name.version + 1)) if self.name else None

    @property
    def deadline(self) -> date | None:
        """The last day on which the institution may answer; None if the day of receipt is unknown."""
        return _add_days_declared_in_contract(self.institution, self.received, "answer_days")

    @property
    def delete_on(self) -> date | None:
        """The day by which the report and all copies must be deleted; None if the day of receipt is unknown."""
        return compute_deletion_date(self.institution, self.received)

    @cached_property
    def open_findings(self) -> pd.DataFrame:
        """The findings that are neither fixed nor accepted."""
        return self.findings[~self.findings["state"].isin(["fixed", "accepted_as_is"])]

    @cached_property
    def overdue_findings(self) -> pd.DataFrame:
        """The open findings that are a warning or worse, are no consequence of others, and first appeared in an earlier quarter."""
        asks = self.open_findings[(self.open_findings["origin"] == "cause") & (self.open_findings["severity"] != "info")]
        return asks[asks["since"].str[:7] < self.delivery[:7]]

    @cached_property
    def figures_by_finding(self) -> dict[str, list[tuple[str, str]]]:
        """Maps the name of a finding to the figures that it affects; each figure is an indicator and a period."""
        pairs = zip(self.figures["indicator"], self.figures["period"], strict=True)
        out: dict[str, list[tuple[str, str]]] = {}
        for finding, pair in zip(self.figures["finding"], pairs, strict=True):
            out.setdefault(finding, []).append(pair)
        return out

    @cached_property
    def state(self) -> str:
        """The state of the delivery: `delivery_state` of its files if it is known.

        Otherwise it is derived from the states of the files (`sources.completeness_states`).
        """
        known_states = list(self.files["delivery_state"].dropna()) if "delivery_state" in self.files else []
        return str(known_states[0]) if known_states else delivery_state(self.files["state"])

    @cached_property
    def finding_counts(self) -> dict[str, int]:
        """The numbers of findings in the report, by these names.

        The severities: open findings that are not consequences of others (those of severity information are counted once per column).
        to_check: open findings that only the institution can check. consequences: open findings that are consequences of others. fixed,
        accepted_as_is, no_error: findings that are fixed, that were accepted, or that the institution answered as no error.
        """
        causes = self.open_findings.loc[self.open_findings["origin"] == "cause", "severity"]
        permitted = self.open_findings[~self.open_findings["listed"]].drop_duplicates(["file", "field", "rule"])
        return {
            **{severity: int((causes == severity).sum()) for severity in SEVERITIES},
            "info": len(permitted),
            "to_check": int((self.open_findings["listed"] & (self.open_findings["severity"] == "info")).sum()),
            "consequences": int((self.open_findings["origin"] == "consequence").sum()),
            "fixed": int((self.findings["state"] == "fixed").sum()),
            "accepted_as_is": int((self.findings["state"] == "accepted_as_is").sum()),
            "no_error": self.no_error,
        }


def make_report(
    institution: str,
    delivery: str,
    files: pd.DataFrame,
    findings: pd.DataFrame,
    language: str,
    received: date | None = None,
    **more: pd.DataFrame,
) -> Report:
    """Make the report on one delivery.

    files: as in `Report`. findings: from `order_findings`, or findings as that function takes them. language: the language of the
    institution. received: day of receipt. more: `figures`, `foremost` and `trend` as in `Report`.
    """
    contact = contracts.load(institution).contact if institution in contracts.institutions() else None
    rows = findings if "listed" in findings else order_findings(findings)
    no_error = (rows["state"] == "accepted_as_is") & (rows["answer"] == "no_error")
    rows = rows[~no_error].reset_index(drop=True)
    return Report(
        institution,
        delivery,
        language,
        received,
        find_publisher_names(institution),
        contact,
        _complete_file_columns(files),
        rows,
        int(no_error.sum()),
        **more,
    )


def compute_deletion_date(institution: str, received: date | None) -> date | None:
    """Return the day by which a report and all copies must be deleted; None if the day of receipt is unknown."""
    return _add_days_declared_in_contract(institution, received, "keep_days")


def _add_days_declared_in_contract(institution: str, received: date | None, days_setting: str) -> date | None:
    if received is None or institution not in contracts.institutions():
        return None
    return received + timedelta(days=getattr(contracts.load(institution), days_setting))


def find_publisher_names(institution: str) -> Mapping[str, str]:
    """Return the name of an institution by language; its short name if it has no contract."""
    return contracts.load(institution).publisher if institution in contracts.institutions() else dict.fromkeys(LANGUAGES, institution)


def convert_to_json(report: Report) -> str:
    """Convert a report to the text of `findings.json`, with one finding per line."""
    head = {
        "format": "harmonia.feedback/1",
        "institution": report.institution,
        "delivery": report.delivery,
        "period": report.name.period if report.name else None,
        "version": report.name.version if report.name else None,
        "received": report.received.isoformat() if report.received else None,
        "state": report.state,
        "language": report.language,
        "deadline": report.deadline.isoformat() if report.deadline else None,
        "delete_on": report.delete_on.isoformat() if report.delete_on else None,
        "counts": report.finding_counts,
        "files": convert_rows_to_dicts(report.files.drop(columns="delivery_state", errors="ignore")),
        "summary": _make_summary_for_json(report.findings),
        "rules": {code: _convert_rule_for_json(code) for code in sorted(report.findings["rule"].unique())},
    }
    lines = ",\n  ".join(_write_findings_as_json(report.findings, report.figures_by_finding))
    text = json.dumps(head, ensure_ascii=False, indent=1)
    return f'{text[:-2]},\n "findings": [\n  {lines}\n ]\n}}\n' if lines else f'{text[:-2]},\n "findings": []\n}}\n'


def make_details_readable(findings: pd.DataFrame, language: str) -> pd.Series:
    """Return the detail of each finding as it is shown: an institution by its name, and a long list of rows shortened.

    findings: the findings, with the columns rule and detail.
    """
    owner = findings["detail"].where((findings["rule"] == "file-foreign") & findings["detail"].isin(contracts.institutions()))
    return (
        owner.map(lambda name: find_publisher_names(name)[language], na_action="ignore")
        .astype("str")
        .fillna(shorten_details(findings["detail"]))
    )


def read_report_from_json(text: str, language: str) -> Report:
    """Convert a text that `convert_to_json` made to a report in the given language. Its `foremost` and `trend` are empty."""
    document = json.loads(text)
    rows = pd.DataFrame(document["findings"], columns=[*_ROW])
    findings = rows.drop(columns="figures").astype({name: "Int64" if name == "line" else "str" for name in _ROW if name != "figures"})
    figures = [
        (finding, one["indicator"], one["period"]) for finding, of in zip(rows["finding"], rows["figures"], strict=True) for one in of or ()
    ]
    institution, received = document["institution"], document["received"]
    return Report(
        institution,
        document["delivery"],
        language,
        date.fromisoformat(received) if received else None,
        find_publisher_names(institution),
        contracts.load(institution).contact if institution in contracts.institutions() else None,
        pd.DataFrame(document["files"], columns=["file", "state", *COUNTS]).assign(delivery_state=document["state"]),
        findings.assign(listed=_are_listed_one_by_one(findings)),
        document["counts"]["no_error"],
        pd.DataFrame(figures, columns=["finding", "indicator", "period"], dtype="str").drop_duplicates(),
    )


def _write_findings_as_json(findings: pd.DataFrame, figures_by_finding: Mapping[str, list[tuple[str, str]]]) -> Iterator[str]:
    """Yield each finding as a JSON object. figures_by_finding: as `Report.figures_by_finding`.

    Equal values of a column are converted to JSON only once.
    """
    columns = []
    for name in _ROW:
        if name == "figures":
            continue
        cells = convert_to_plain_values(findings[name])
        json_of_cell = {cell: f'"{name}": {_to_json_text(cell)}' for cell in set(cells)}
        columns.append([json_of_cell[cell] for cell in cells])
    figures = {
        finding: _to_json_text([{"indicator": indicator, "period": period} for indicator, period in pairs])
        for finding, pairs in figures_by_finding.items()
    }
    columns.append([f'"figures": {figures.get(finding, "[]")}' for finding in convert_to_plain_values(findings["finding"])])
    return (f"{{{', '.join(cells)}}}" for cells in zip(*columns, strict=True))


def _complete_file_columns(files: pd.DataFrame) -> pd.DataFrame:
    columns = [c for c in (*RECEIVED, "delivery_state") if c in files]
    out = files.reindex(columns=["file", "state", *columns, *COUNTS]).sort_values("file", ignore_index=True)
    out[list(COUNTS)] = out[list(COUNTS)].astype("Float64").fillna(0).astype("int64")
    return out


def order_findings(findings: pd.DataFrame) -> pd.DataFrame:
    """Sort findings by delivery, then as in `Report.findings`, and add the columns that they have there.

    findings: columns `harmonia.feedback.finding_states.COLUMNS_WITH_STATE` and answer; `schemas.findings.COLUMNS` suffice. A missing state
    counts as `new`.
    """
    out = findings.assign(state=findings.get("state", "new")).reindex(columns=[*COLUMNS_WITH_STATE, "answer"])
    out = out.astype({"finding": "str", "since": "str", "answer": "str"})
    out = out.assign(since=out["since"].fillna(out["delivery"]), cell=_make_cell_references(out), listed=_are_listed_one_by_one(out))
    rank = {severity: n for n, severity in enumerate(SEVERITIES)}
    number = out.groupby([*_DELIVERY, "rule"], dropna=False)["rule"].transform("size")
    out = out.assign(_rank=out["severity"].map(rank).astype("float64"), _fewer=-number.astype("float64"))
    order = [*_DELIVERY, "_rank", "_fewer", "rule", "origin", "file", "part", "line", "record_key", "field", "value", "state"]
    return out.sort_values(order, ignore_index=True, kind="stable", na_position="first").drop(columns=["_rank", "_fewer"])


def _are_listed_one_by_one(findings: pd.DataFrame) -> pd.Series:
    """Return for each finding whether it has a row of its own in the report, and is not only counted per column."""
    listed_rules = [code for code, rule in rules().items() if rule.level == "cross_institution"]
    return (findings["severity"] != "info") | findings["rule"].isin(listed_rules)


def _make_cell_references(findings: pd.DataFrame) -> pd.Series:
    """Return the reference of the cell that each finding is about, e.g. E17; null if its file is not a workbook."""
    books = [name for name in contracts.institutions() if contracts.load(name).files[0].reader == "workbook"]
    has_cell = findings["line"].notna() & findings["column"].notna() & findings["institution"].isin(books)
    letters = findings["column"].where(has_cell).map(_convert_to_column_letters, na_action="ignore").astype("str")
    return letters + findings["line"].astype("str").where(has_cell)


def _convert_to_column_letters(column: int) -> str:
    out = ""
    while column:
        column, rest = divmod(int(column) - 1, 26)
        out = chr(65 + rest) + out
    return out


def _make_summary_for_json(findings: pd.DataFrame) -> list[dict[str, Any]]:
    by = ("rule", "severity", "origin", "state")
    counted = Counter(zip(*(convert_to_plain_values(findings[name]) for name in by), strict=True))
    return [{**dict(zip(by, one, strict=True)), "count": count} for one, count in counted.items()]


def _convert_rule_for_json(code: str) -> dict[str, Any]:
    rule = rules()[code]
    return {"level": rule.level, "dimension": rule.dimension, "text": dict(rule.text), "action": dict(rule.action), "source": rule.source}


def convert_rows_to_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Convert the rows of `frame` to dicts of values that JSON can represent; a missing value becomes None."""
    return list(_iterate_rows_as_dicts(frame))


def _iterate_rows_as_dicts(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    columns = {c: convert_to_plain_values(frame[c]) for c in frame.columns}
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def convert_to_plain_values(cells: pd.Series) -> list[Any]:
    """Convert a column to a list of plain Python values; a missing value becomes None."""
    return cells.to_numpy(dtype=object, na_value=None).tolist()  # type: ignore[call-overload]
