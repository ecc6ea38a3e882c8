"""Golden deliveries: a tiny good delivery per institution and everything that is read from it, as a file for people to review.

`HARMONIA_REGENERATE=1 pytest tests/sources/test_golden.py` writes the expected files again: look at the difference before committing it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from reader_world import deliver, read

from sources import contract
from sources.readers.result import POSITION, ReadResult, count_rows_by_file

HERE = Path(__file__).parent


def _plain(result: ReadResult) -> dict[str, Any]:
    def rows(frame: Any) -> list[dict[str, Any]]:
        return [dict(r) for r in frame.astype(object).where(frame.notna(), None).to_dict("records")]

    return {
        "state": result.state,
        "files": result.files,
        "declared": result.declared,
        "accounting": rows(count_rows_by_file(result)),
        "findings": result.findings,
        "structure": rows(result.structure),
        "tables": {name: rows(frame) for name, frame in result.tables.items()},
    }


@pytest.mark.parametrize("institution", contract.institutions())
def test_a_good_delivery_reads_as_reviewed(institution: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    expected = HERE / institution / "expected.json"
    found = json.dumps(_plain(read(institution, tmp_path)), ensure_ascii=False, indent=1, default=int) + "\n"
    if os.environ.get("HARMONIA_REGENERATE"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(found, "utf-8")
    assert json.loads(found) == json.loads(expected.read_text("utf-8"))


@pytest.mark.parametrize("institution", contract.institutions())
def test_every_table_has_its_declared_columns_and_positions_also_when_nothing_came(institution: str, tmp_path: Path) -> None:
    result = read(institution, tmp_path)
    for name, table in contract.load(institution).tables.items():
        frame = result.tables[name]
        assert list(frame.columns) == [*[c.name for c in table.columns], *POSITION]
        assert frame.empty


@pytest.mark.parametrize("institution", contract.institutions())
def test_rows_are_numbered_once_over_all_tables_and_parents_exist(institution: str, tmp_path: Path) -> None:
    deliver(institution, tmp_path)
    result = read(institution, tmp_path)
    numbers = [int(n) for frame in result.tables.values() for n in frame["_row"]]
    assert len(numbers) == len(set(numbers))
    for name, table in contract.load(institution).tables.items():
        parents = result.tables[name]["_parent"].dropna()
        assert parents.empty if table.parent is None else set(parents) <= set(result.tables[table.parent]["_row"])
