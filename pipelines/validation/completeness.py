"""Completeness of the files of a delivery: which files lack records although they could be opened.

Belongs here: comparing the records that the contract requires of a file with the records that could be read. Does not belong here: what
a reader finds in a single file (`sources/readers`), the state of a delivery (`sources/states`), earlier deliveries
(`pipelines/over_time`).

A record is lost if its row was quarantined, or if only other records refer to it. A few lost records only give findings. A share of more
than `_LOST`, or a required table without records, makes the file partial, or unreadable if no record is left. The same share of codes
that no list of the contract has makes it partial too. If they are more than `_REPLACED`, the institution replaced the list, and nothing
in the delivery can be trusted: codes that are known can have another meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sources.contract import Contract, FileSpec, TableSpec
from sources.readers.result import ReadResult
from sources.states import COMPLETE, PARTIAL, UNREADABLE

_LOST = 0.1  # share of a table's records
_REPLACED = 0.5  # share of unknown codes
_CHILDLESS = 0.5  # share of cases without any person
_FEW = 3  # fewer lost records than this say nothing about a file, whatever their share
_NO_RECORDS = ("row-garbage",)  # quarantined rows that are not records: page numbers, remarks

Finding = Mapping[str, Any]
Sign = tuple[str, str, Finding | None]
"""A file, its state, and the finding that gives the reason; None if a reader has already reported it."""


@dataclass(frozen=True)
class UnknownCodes:
    """A required column with many codes that no list of the contract has, in a file of a delivery: `unknown` of `filled` cells."""

    delivery: str
    file: str
    field: str
    unknown: int
    filled: int

    @property
    def is_replaced(self) -> bool:
        """Whether the institution must have replaced the code list."""
        return _exceeds_share(self.unknown, self.filled, _REPLACED)

    @property
    def finding(self) -> Finding:
        """The finding on the file."""
        return {"rule": "file-codes-unknown", "field": self.field, "detail": f"{self.unknown} / {self.filled}"}


def unknown_codes(contract: Contract, *parts: Mapping[str, pd.DataFrame]) -> list[UnknownCodes]:
    """Return the required columns in which more than `_LOST` of the codes are unknown. parts: the typed rows of each table."""
    found: list[UnknownCodes] = []
    for name, spec in contract.tables.items():
        for column in (column for column in spec.columns if column.type == "code" and column.required):
            shown = ["_delivery", "_file", column.name]
            cells = pd.concat([part[name].loc[part[name][f"{column.name}:given"].astype(bool), shown] for part in parts])
            shares = cells[column.name].isna().groupby([cells["_delivery"], cells["_file"]]).agg(["sum", "size"])
            for (delivery, file), unknown, filled in shares.itertuples(name=None):
                if _exceeds_share(unknown, filled, _LOST):
                    found.append(UnknownCodes(delivery, file, column.name, unknown, filled))
    return found


def file_states(
    contract: Contract,
    results: Mapping[str, ReadResult],
    tables: Mapping[str, pd.DataFrame],
    quarantined: pd.DataFrame,
    unknown_codes: Sequence[UnknownCodes] = (),
) -> tuple[dict[str, dict[str, str]], list[Finding]]:
    """Return the state of each file by delivery, and a finding for each sign that a file lacks records.

    tables: rows with `_key`, `_case`, `_delivery`; quarantined: `pipelines.validation.QUARANTINED`; unknown_codes: from `unknown_codes`.
    """
    states: dict[str, dict[str, str]] = {}
    found: list[Finding] = []
    of_tables = {name: _split_by_delivery(frame[["_delivery", "_key", "_case"]], "_delivery") for name, frame in tables.items()}
    of_aside = _split_by_delivery(quarantined[~quarantined["rule"].isin(_NO_RECORDS)], "delivery")
    for delivery, result in results.items():
        own, aside = {name: of(delivery) for name, of in of_tables.items()}, of_aside(delivery)
        states[delivery] = dict(result.files)
        signs = [(each.file, PARTIAL, each.finding) for each in unknown_codes if each.delivery == delivery]
        for file, state, finding in (*_incompleteness_signs(contract, result, own, aside), *signs):
            if states[delivery][file] != UNREADABLE:
                states[delivery][file] = state
            if finding:
                found.append({"delivery": delivery, "file": file, **finding})
    return states, found


def _split_by_delivery(frame: pd.DataFrame, column: str) -> Callable[[str], pd.DataFrame]:
    """Return a function that gives the rows of `frame` for a delivery."""
    places: dict[Hashable, Any] = dict(frame.groupby(column).indices)
    return lambda delivery: frame.iloc[places.get(delivery, [])]


def _incompleteness_signs(
    contract: Contract, result: ReadResult, tables: Mapping[str, pd.DataFrame], aside: pd.DataFrame
) -> Iterator[Sign]:
    """Yield the signs that files lack records, for the files that could be opened."""
    delivered = [(spec, _delivered_name(spec, result)) for spec in contract.files]
    opened = [(spec, file) for spec, file in delivered if file and result.files[file] in (COMPLETE, PARTIAL)]
    file_of = {table: file for spec, file in opened for table in spec.tables}
    without_records = False
    for spec, file in opened:
        rows = aside[aside["file"] == file]
        absent = [name for name in spec.tables if tables[name].empty and _rows_required(contract.tables[name], tables)]
        if absent and not (len(rows) == 0 and _total_confirms_none(result, file)):
            nothing = all(tables[name].empty for name in spec.tables)
            without_records = True
            finding = {"rule": "file-no-records", "detail": ", ".join(absent), "origin": "consequence" if len(rows) else "cause"}
            yield file, UNREADABLE if nothing else PARTIAL, finding
        elif _exceeds_share(len(rows), len(rows) + sum(len(tables[name]) for name in spec.tables), _LOST):
            yield file, PARTIAL, {"rule": "file-rows-lost", "detail": f"{len(rows)}"}
        if _lacks_required_column(contract, spec, result, file):
            yield file, PARTIAL, None
    if without_records and all(frame.empty for frame in tables.values()):  # then a file that may be empty says nothing either
        yield from ((file, UNREADABLE, None) for _, file in opened)
    yield from _unmatched_cases(contract, tables, aside, file_of)


def _unmatched_cases(
    contract: Contract, tables: Mapping[str, pd.DataFrame], aside: pd.DataFrame, file_of: Mapping[str, str]
) -> Iterator[Sign]:
    """Find the cases that only persons refer to, and the cases without persons, if both tables have records."""
    for name, spec in contract.tables.items():
        parent = spec.parent
        if not spec.entity or parent is None or tables[name].empty or tables[parent].empty:
            continue
        of_parent = aside.loc[aside["table"] == parent, "record_key"]
        cases = set(tables[parent]["_key"].dropna()) | set(of_parent.dropna())
        named = set(tables[name]["_case"].dropna())
        if parent in file_of and _exceeds_share(len(named - cases), len(named), _LOST):
            yield file_of[parent], PARTIAL, {"rule": "file-records-missing", "detail": f"{len(named - cases)} / {len(named)}"}
        if name in file_of and _exceeds_share(len(cases - named), len(cases), _CHILDLESS):
            yield file_of[name], PARTIAL, {"rule": "file-persons-missing", "detail": f"{len(cases - named)} / {len(cases)}"}


def _rows_required(spec: TableSpec, tables: Mapping[str, pd.DataFrame]) -> bool:
    """Return whether a table must have rows: always for a table of records, for a dependent table if its parent table has enough rows."""
    parent = tables[spec.parent] if spec.parent and not spec.entity else None
    return spec.required and (parent is None or len(parent) >= _FEW)


def _exceeds_share(lost: int, every: int, share: float) -> bool:
    """Return whether `lost` of `every` records are more than the share."""
    return lost >= _FEW and lost > share * every


def _delivered_name(spec: FileSpec, result: ReadResult) -> str | None:
    """Return the name under which a declared file was delivered; None if the file was not delivered."""
    for name in (spec.name, *spec.alternatives):
        if name in result.files:
            return name
    assumed = (f["file"] for f in result.findings if f["rule"] == "file-name-assumed" and f.get("detail") == spec.name)
    return next(assumed, None)


def _total_confirms_none(result: ReadResult, file: str) -> bool:
    """Return whether the total line of a file confirms that the file has no records."""
    rows = result.structure[result.structure["file"] == file]
    wrong = {f["rule"] for f in result.findings if f["file"] == file}
    return bool((rows["kind"] == "total").any()) and wrong.isdisjoint(("file-total-wrong", "file-total-unreadable"))


def _lacks_required_column(contract: Contract, spec: FileSpec, result: ReadResult, file: str) -> bool:
    """Return whether a required column is missing from a file."""
    required = {column.name for table in spec.tables for column in contract.tables[table].columns if column.required}
    absent = {f.get("field") for f in result.findings if f["file"] == file and f["rule"] == "file-column-missing"}
    return not required.isdisjoint(absent)
