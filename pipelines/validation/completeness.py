"""Completeness of the files of a delivery: finding files that lack records although they could be opened.

Belongs here: comparing the records that a file must have according to the contract with those that could be read. Does not belong here:
what a reader finds in a single file (`sources/readers`), the state of a delivery (`sources/completeness_states`), earlier deliveries
(`pipelines/over_time`).

A record is lost if its row was quarantined, or if other records refer to it although it was not delivered. If only a few records are lost,
there are only findings. If their share is more than `_MAX_LOST_SHARE`, or if a required table has no records, the file is partial. If no
record is left, the file is unreadable. The file is also partial if more than `_MAX_LOST_SHARE` of the codes in a column are not in the code
list of the contract. If they are more than `_MIN_SHARE_OF_REPLACED_LIST`, the institution must have replaced the code list. Then nothing in
the delivery can be trusted, since known codes may have another meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sources.completeness_states import COMPLETE, PARTIAL, UNREADABLE
from sources.contract import Contract, FileSpec, TableSpec
from sources.readers.result import ReadResult

_MAX_LOST_SHARE = 0.1  # share of the records of a table
_MIN_SHARE_OF_REPLACED_LIST = 0.5  # share of unknown codes in a column
_MAX_SHARE_WITHOUT_PERSONS = 0.5  # share of cases without any person
_MIN_LOST = 3  # fewer lost records than this say nothing about a file, whatever their share
_NO_RECORDS = ("row-garbage",)  # rules on quarantined rows that are not records, such as page numbers and remarks
_LACKS_LIST = ("json-list-absent", "json-value-kind")  # rules on records whose nested list could not be read

Finding = Mapping[str, Any]
Sign = tuple[str, str, Finding | None]
"""A sign that a file lacks records: the file, its state, and a finding with the reason; None if a reader has already reported it."""


@dataclass(frozen=True)
class ColumnWithUnknownCodes:
    """A required column in a file of a delivery, in which many codes are not in the code list of the contract.

    `filled` is the number of filled cells, and `unknown` the number of those with an unknown code.
    """

    delivery: str
    file: str
    field: str
    unknown: int
    filled: int

    @property
    def is_list_replaced(self) -> bool:
        """Whether so many codes are unknown that the institution must have replaced the code list."""
        return _are_lost_too_many(self.unknown, self.filled, _MIN_SHARE_OF_REPLACED_LIST)

    @property
    def finding(self) -> Finding:
        """The finding on the file."""
        return {"rule": "file-codes-unknown", "field": self.field, "detail": f"{self.unknown} / {self.filled}"}


def find_unknown_codes(contract: Contract, tables: Mapping[str, pd.DataFrame]) -> list[ColumnWithUnknownCodes]:
    """Find the required columns in which more than `_MAX_LOST_SHARE` of the codes are unknown. `tables` has the typed rows."""
    columns_with_unknown_codes: list[ColumnWithUnknownCodes] = []
    for name, spec in contract.tables.items():
        for column in (column for column in spec.columns if column.type == "code" and column.required):
            cells = tables[name][tables[name][f"{column.name}:given"].astype(bool)]
            shares = cells[column.name].isna().groupby([cells["_delivery"], cells["_file"]]).agg(["sum", "size"])
            for (delivery, file), unknown, filled in shares.itertuples(name=None):
                if _are_lost_too_many(unknown, filled, _MAX_LOST_SHARE):
                    columns_with_unknown_codes.append(ColumnWithUnknownCodes(delivery, file, column.name, unknown, filled))
    return columns_with_unknown_codes


def find_file_states(
    contract: Contract,
    read_results: Mapping[str, ReadResult],
    tables: Mapping[str, pd.DataFrame],
    quarantined: pd.DataFrame,
    unknown_codes: Sequence[ColumnWithUnknownCodes] = (),
) -> tuple[dict[str, dict[str, str]], list[Finding]]:
    """Return the state of each file, by delivery, and a finding for each sign that a file lacks records.

    The rows of `tables` have the columns `_key`, `_case` and `_delivery`. `quarantined` has the columns
    `pipelines.validation.QUARANTINE_COLUMNS`. `unknown_codes` comes from `find_unknown_codes`.
    """
    states: dict[str, dict[str, str]] = {}
    findings: list[Finding] = []
    rows_by_table = {
        name: _make_lookup_of_rows_by_delivery(frame[["_delivery", "_key", "_case"]], "_delivery") for name, frame in tables.items()
    }
    quarantined_rows_of = _make_lookup_of_rows_by_delivery(quarantined[~quarantined["rule"].isin(_NO_RECORDS)], "delivery")
    for delivery, result in read_results.items():
        tables_of_delivery, quarantined_rows = (
            {name: rows_of(delivery) for name, rows_of in rows_by_table.items()},
            quarantined_rows_of(delivery),
        )
        states[delivery] = dict(result.files)
        signs = [(each.file, PARTIAL, each.finding) for each in unknown_codes if each.delivery == delivery]
        for file, state, finding in (*_find_signs_of_missing_records(contract, result, tables_of_delivery, quarantined_rows), *signs):
            if states[delivery][file] != UNREADABLE:
                states[delivery][file] = state
            if finding:
                findings.append({"delivery": delivery, "file": file, **finding})
    return states, findings


def _make_lookup_of_rows_by_delivery(frame: pd.DataFrame, column: str) -> Callable[[str], pd.DataFrame]:
    """Return a function that returns the rows of `frame` for a delivery."""
    positions: dict[Hashable, Any] = dict(frame.groupby(column).indices)
    return lambda delivery: frame.iloc[positions.get(delivery, [])]


def _find_signs_of_missing_records(
    contract: Contract, result: ReadResult, tables: Mapping[str, pd.DataFrame], quarantined: pd.DataFrame
) -> Iterator[Sign]:
    """Yield the signs that files of one delivery lack records. Only files that could be opened are examined."""
    delivered = [(spec, find_name_of_delivered_file(spec, result)) for spec in contract.files]
    opened = [(spec, file) for spec, file in delivered if file and result.files[file] in (COMPLETE, PARTIAL)]
    file_of = {table: file for spec, file in opened for table in spec.tables}
    without_records = False
    for spec, file in opened:
        rows = quarantined[quarantined["file"] == file]
        absent = [name for name in spec.tables if tables[name].empty and _must_table_have_rows(contract.tables[name], tables)]
        if absent and not (len(rows) == 0 and _does_total_confirm_no_records(result, file)):
            nothing = all(tables[name].empty for name in spec.tables)
            without_records = True
            finding = {"rule": "file-no-records", "detail": ", ".join(absent), "origin": "consequence" if len(rows) else "cause"}
            yield file, UNREADABLE if nothing else PARTIAL, finding
        elif _are_lost_too_many(len(rows), len(rows) + sum(len(tables[name]) for name in spec.tables), _MAX_LOST_SHARE):
            yield file, PARTIAL, {"rule": "file-rows-lost", "detail": f"{len(rows)}"}
        yield from _find_missing_lists(contract, spec, result, file, tables)
        if _lacks_required_column(contract, spec, result, file):
            yield file, PARTIAL, None
    if without_records and all(frame.empty for frame in tables.values()):  # then a file that may be empty is no evidence either
        yield from ((file, UNREADABLE, None) for _, file in opened)
    yield from _find_unmatched_cases(contract, tables, quarantined, file_of)


def _find_missing_lists(
    contract: Contract, spec: FileSpec, result: ReadResult, file: str, tables: Mapping[str, pd.DataFrame]
) -> Iterator[Sign]:
    """Find nested lists that many records of a file lack, or in whose place many records have another kind of value."""
    lacking = Counter(f.get("field") for f in result.findings if f["file"] == file and f["rule"] in _LACKS_LIST)
    for name in spec.tables:
        parent, n = contract.tables[name].parent, lacking[name]
        records = len(tables[parent]) if parent else 0
        if records and (n >= records or _are_lost_too_many(n, records, _MAX_LOST_SHARE)):
            yield file, PARTIAL, {"rule": "json-list-missing", "field": name, "detail": f"{n} / {records}"}


def _find_unmatched_cases(
    contract: Contract, tables: Mapping[str, pd.DataFrame], quarantined: pd.DataFrame, file_by_table: Mapping[str, str]
) -> Iterator[Sign]:
    """Find cases that were not delivered although persons refer to them, and cases without persons, if both tables have records."""
    for name, spec in contract.tables.items():
        parent = spec.parent
        if not spec.entity or parent is None or tables[name].empty or tables[parent].empty:
            continue
        of_parent = quarantined.loc[quarantined["table"] == parent, "record_key"]
        cases = set(tables[parent]["_key"].dropna()) | set(of_parent.dropna())
        cases_of_persons = set(tables[name]["_case"].dropna())
        if parent in file_by_table and _are_lost_too_many(len(cases_of_persons - cases), len(cases_of_persons), _MAX_LOST_SHARE):
            yield (
                file_by_table[parent],
                PARTIAL,
                {"rule": "file-records-missing", "detail": f"{len(cases_of_persons - cases)} / {len(cases_of_persons)}"},
            )
        if name in file_by_table and _are_lost_too_many(len(cases - cases_of_persons), len(cases), _MAX_SHARE_WITHOUT_PERSONS):
            yield (
                file_by_table[name],
                PARTIAL,
                {"rule": "file-persons-missing", "detail": f"{len(cases - cases_of_persons)} / {len(cases)}"},
            )


def _must_table_have_rows(spec: TableSpec, tables: Mapping[str, pd.DataFrame]) -> bool:
    """Return whether a required table must have rows.

    A table of records must have rows. A table that depends on another one must have rows only if that one has at least `_MIN_LOST` rows.
    """
    parent = tables[spec.parent] if spec.parent and not spec.entity else None
    return spec.required and (parent is None or len(parent) >= _MIN_LOST)


def _are_lost_too_many(lost: int, total: int, share: float) -> bool:
    """Return whether at least `_MIN_LOST` of `total` records are lost, and more than the share `share` of them."""
    return lost >= _MIN_LOST and lost > share * total


def find_name_of_delivered_file(spec: FileSpec, result: ReadResult) -> str | None:
    """Return the name under which a declared file was delivered; None if it was not delivered."""
    for name in (spec.name, *spec.alternatives):
        if name in result.files:
            return name
    assumed = (f["file"] for f in result.findings if f["rule"] == "file-name-assumed" and f.get("detail") == spec.name)
    return next(assumed, None)


def _does_total_confirm_no_records(result: ReadResult, file: str) -> bool:
    """Return whether the file has a total line, and this line agrees with the file having no records."""
    rows = result.structure[result.structure["file"] == file]
    wrong = {f["rule"] for f in result.findings if f["file"] == file}
    return bool((rows["kind"] == "total").any()) and wrong.isdisjoint(("file-total-wrong", "file-total-unreadable"))


def _lacks_required_column(contract: Contract, spec: FileSpec, result: ReadResult, file: str) -> bool:
    """Return whether a required column is missing from a file."""
    required = {column.name for table in spec.tables for column in contract.tables[table].columns if column.required}
    absent = {f.get("field") for f in result.findings if f["file"] == file and f["rule"] == "file-column-missing"}
    return not required.isdisjoint(absent)
