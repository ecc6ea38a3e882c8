"""Findings on rows that are not data: blank lines between records, or a total that was not agreed. There is one finding for each file and
part.

Belongs here: findings on the structure of a file. Does not belong here: distinguishing data from structure (`sources/readers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sources.contract import Contract
from sources.readers.result import ReadResult


def find_stray_rows(contract: Contract, results: Mapping[str, ReadResult]) -> Iterator[Mapping[str, Any]]:
    """Yield the findings `file-blank-rows` and `file-total-row` by delivery, file and part. Each is located at the first such row."""
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
