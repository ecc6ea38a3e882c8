"""Redaction of a person's rows in a delivery.

Belongs here: finding the rows, clearing their cells. Does not belong here: loading and storing deliveries (`redaction`), validation of
redacted rows (`pipelines.validation.redacted_rows`).

Names, numbers and places of birth are removed; a date of birth is replaced by another day of its year (`birth_dates`). Values that
figures count stay: role, sex, citizenship, municipality, offences, dates of the case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from harmonia.operations.erasure.person import PersonToErase
from harmonia.operations.erasure.search import ENCODINGS
from pipelines.validation import DELIVERY_COLUMNS, validate_tables
from pipelines.validation.row_numbers import compute_first_row_number
from sources import contract as contracts
from sources.contract import DATE_PATTERNS, ColumnSpec, DeliveryName
from sources.readers.result import ReadResult

_COUNTED_TYPES = ("municipality",)  # types of personal columns that figures use
ERASED = b"[erased]"
_FINDING = ["_row", "table", "field", "rule"]


def redact_delivery(
    institution: str, delivery: DeliveryName, read_result: ReadResult, person: PersonToErase
) -> tuple[ReadResult, set[str]] | None:
    """Return the delivery without the person's values, and the names of the files that name the person; None if no row names the person."""
    name, contract = str(delivery), contracts.load(institution)
    delivery_row = pd.DataFrame([(institution, name, delivery.period, delivery.version, None)], columns=list(DELIVERY_COLUMNS))
    typed, quarantined, _, validation_findings = validate_tables(institution, {name: read_result}, delivery_row)
    offset, keys = compute_first_row_number(delivery.period, delivery.version), person.find_record_keys(institution, name)
    tables, blanked, files = dict(read_result.tables), [read_result.blanked], set[str]()
    rows, lines = set[int](), set[tuple[str, int]]()
    for table, spec in contract.tables.items():
        personal = [c for c in spec.columns if c.personal and c.type not in _COUNTED_TYPES]
        if not personal or table not in tables:
            continue
        frame = pd.concat([typed[table], quarantined[table]])
        frame = frame[~(frame["_row"] - offset).isin(read_result.blanked["_row"])]
        person_rows = frame[frame["_record"].isin(keys) | _find_rows_naming_person(tables[table], frame["_row"] - offset, personal, person)]
        if len(person_rows):
            tables[table], cleared = _redact_table(
                tables[table], person_rows.assign(_row=person_rows["_row"] - offset), personal, spec.columns, person
            )
            blanked.append(cleared)
            files |= set(person_rows["_file"])
            lines |= set(person_rows[["_file", "_line"]].itertuples(index=False, name=None))
            rows |= set(person_rows["_row"] - offset)
    unreadable, raw_files = _redact_unreadable_rows(read_result.unreadable, person)
    if not rows and not raw_files:
        return None
    judged = pd.concat([read_result.judged, _select_findings(validation_findings, rows, offset)], ignore_index=True)
    findings = [_redact_finding(finding, lines, person) for finding in read_result.findings]
    redacted = replace(
        read_result, tables=tables, unreadable=unreadable, findings=findings, blanked=pd.concat(blanked, ignore_index=True), judged=judged
    )
    return redacted, files | raw_files


def _find_rows_naming_person(
    text_rows: pd.DataFrame, rows: pd.Series, personal_columns: list[ColumnSpec], person: PersonToErase
) -> pd.Series:
    """Return for each row whether it names the person.

    Names are searched because the key of a row may be unreadable, or may belong to another person. rows: the numbers of the rows to
    search.
    """
    names = [c.name for c in personal_columns if c.name in text_rows]
    texts = text_rows.set_index("_row")[names].fillna("").agg(" ".join, axis=1).reindex(rows.to_numpy()).fillna("")
    return pd.Series([person.occurs_in_row(row) for row in texts], index=rows.index, dtype="bool")


def _redact_table(
    text_rows: pd.DataFrame,
    typed_rows: pd.DataFrame,
    personal_columns: list[ColumnSpec],
    declared: tuple[ColumnSpec, ...],
    person: PersonToErase,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Redact the person's rows in a table. Returns the table, and a list of the redacted cells (`ReadResult.blanked`)."""
    out, by_row = text_rows.copy(), typed_rows.drop_duplicates("_row").set_index("_row")
    is_redacted = out["_row"].isin(by_row.index)
    row_numbers = out.loc[is_redacted, "_row"].to_numpy()
    content = [person.contents.setdefault(int(number), len(person.contents) + 1) for number in by_row["_content"].reindex(row_numbers)]
    cleared = [pd.DataFrame({"_row": row_numbers, "field": None, "content": content})]
    for column in personal_columns:
        was_given = by_row[f"{column.name}:given"].reindex(row_numbers).to_numpy(dtype=bool)
        cleared.append(pd.DataFrame({"_row": row_numbers, "field": column.name, "content": content})[was_given])
        out.loc[is_redacted, column.name] = (
            _substitute_birth_dates(by_row.reindex(row_numbers), column, person) if column.type == "date" else None
        )
    undeclared = [c for c in out.columns if not c.startswith("_") and c not in {spec.name for spec in declared}]
    out.loc[is_redacted, undeclared] = None
    return out, pd.concat(cleared, ignore_index=True).astype({"_row": "int64", "content": "int64", "field": "str"})


def _substitute_birth_dates(typed_rows: pd.DataFrame, column: ColumnSpec, person: PersonToErase) -> list[str | None]:
    """Return a substitute for each date of birth: another day of the same year, or only the year if no more was known."""
    out: list[str | None] = []
    for day, year in zip(typed_rows[column.name], typed_rows[f"{column.name}:year"], strict=True):
        if pd.notna(day) and (day.month, day.day) != (1, 1):
            out.append(person.substitute_birth(day.date()).strftime(DATE_PATTERNS[column.format]))
        else:
            out.append(None if pd.isna(year) else str(int(year)))
    return out


def _redact_unreadable_rows(unreadable_rows: pd.DataFrame, person: PersonToErase) -> tuple[pd.DataFrame, set[str]]:
    """Redact the unreadable rows that name the person.

    Returns all unreadable rows, and the names of the files in which rows were redacted.
    """
    raw_rows = [raw if isinstance(raw, bytes) else b"" for raw in unreadable_rows["raw"]]
    names_person = pd.Series(
        [any(person.occurs_in_row(raw.decode(encoding, "replace")) for encoding in ENCODINGS) for raw in raw_rows], dtype="bool"
    )
    names_person.index = unreadable_rows.index
    files = set(unreadable_rows.loc[names_person, "file"].astype("str"))
    return unreadable_rows.assign(raw=unreadable_rows["raw"].mask(names_person, ERASED)), files


def _select_findings(findings_by_part: Iterable[pd.DataFrame], rows: Collection[int], offset: int) -> pd.DataFrame:
    """Return the findings on the rows with the numbers `rows`, without delivered values."""
    all_findings = pd.concat([pd.DataFrame(columns=_FINDING), *(frame[_FINDING] for frame in findings_by_part if len(frame))])
    all_findings = all_findings.assign(_row=all_findings["_row"].astype("int64") - offset)
    return all_findings[all_findings["_row"].isin(set(rows))].astype({"table": "str", "field": "str", "rule": "str"})


def _redact_finding(finding: Mapping[str, Any], lines: Collection[tuple[str, int]], person: PersonToErase) -> Mapping[str, Any]:
    """Return a finding without its value if it is on one of `lines`, and without any value that names the person."""
    if (finding.get("file"), finding.get("line")) in lines:
        return {**finding, "value": None}
    return {key: None if isinstance(value, str) and person.occurs_in_row(value) else value for key, value in finding.items()}
