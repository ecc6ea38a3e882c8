"""Findings on the structure of files: blank rows between records, a total row that was not agreed, and a wrong statement about the origin
of the file (an institution or period other than that of its folder).

There is one finding for each part of a file. Belongs here: findings on the structure of a file and on what the file says about itself. Does
not belong here: telling rows with data from other rows (`sources/readers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.validation.completeness import find_name_of_delivered_file
from sources.completeness_states import COMPLETE, PARTIAL
from sources.contract import Contract, DeliveryName
from sources.readers.delivery import LETTERS_SHOWN
from sources.readers.result import ReadResult


def find_stray_rows(contract: Contract, results: Mapping[str, ReadResult]) -> Iterator[Mapping[str, Any]]:
    """Yield the findings `file-blank-rows` and `file-total-row`, one for each part of a file.

    A finding has the line of the first such row.
    """
    agreed = {file.name for file in contract.files if file.options.get("total") == "required"}
    for delivery, result in results.items():
        for (file, part), rows in result.structure.groupby(["file", "part"], dropna=False):
            head = rows.loc[rows["kind"] == "header", "line"].min()
            below = rows[rows["line"] > head]
            location = {"delivery": delivery, "file": file, "part": part}
            blank, total = below[below["kind"] == "blank"], below[below["kind"] == "total"]
            if len(blank):
                yield {**location, "line": blank["line"].min(), "rule": "file-blank-rows", "detail": str(len(blank))}
            if len(total) and file not in agreed:
                yield {**location, "line": total["line"].min(), "rule": "file-total-row"}


def find_wrong_origins_of_files(contract: Contract, results: Mapping[str, ReadResult]) -> Iterator[Mapping[str, Any]]:
    """Yield the findings `file-origin-other` and `file-origin-missing` for each delivery and file.

    A finding names the field with the wrong or missing statement. The option `origin` of the file says which fields these are.
    """
    for file in (file for file in contract.files if "origin" in file.options):
        origin = file.options["origin"]
        for delivery, result in results.items():
            name, parsed = find_name_of_delivered_file(file, result), DeliveryName.parse(delivery)
            if name is None or parsed is None or result.files[name] not in (COMPLETE, PARTIAL):
                continue
            for field, agreed in {**origin.get("institution", {}), origin["period"]: parsed.period}.items():
                stated = result.declared.get(field, "").strip()
                location = {"delivery": delivery, "file": name, "field": field}
                if not stated:
                    yield {**location, "rule": "file-origin-missing", "detail": agreed}
                elif stated.casefold() != agreed.casefold():
                    yield {**location, "rule": "file-origin-other", "value": stated[:LETTERS_SHOWN], "detail": f"≠ {agreed}"}
