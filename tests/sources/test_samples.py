"""The sample deliveries: every record that the truth names is read, or set aside under its key. Truth is read here and by no reader."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from sources import contract
from sources.readers.file_reading import build_record_key
from sources.readers.result import ReadResult, SourceFile, count_rows_by_file
from sources.reading import read_delivery

SETS = ("sample-2012", "sample-2018")


@cache
def _results(root: Path) -> dict[tuple[str, str], ReadResult]:
    return {
        (place.name, delivery.name): read_delivery(place.name, [SourceFile(f.name, f) for f in sorted(delivery.iterdir())])
        for place in sorted((root / "inbox").iterdir())
        for delivery in sorted(place.iterdir())
    }


@pytest.mark.parametrize("name", SETS)
def test_every_physical_row_is_accounted_for(name: str, shared: Path) -> None:
    for place, result in _results(shared / "deliveries" / name).items():
        book = count_rows_by_file(result)
        assert (book["rows_read"] == book["data"] + book["structural"] + book["unreadable"]).all(), place


@pytest.mark.parametrize("name", SETS)
def test_no_record_of_the_truth_is_lost(name: str, shared: Path) -> None:
    root = shared / "deliveries" / name
    read, aside = set(), set()
    for (institution, delivery), result in _results(root).items():
        for table, spec in contract.load(institution).tables.items():
            entities = ("case", "person") if spec.entity == "both" else (spec.entity,)
            rows = result.tables[table][list(spec.key)].astype(object).to_dict("records") if spec.entity else []
            keys = {build_record_key(spec, row) for row in rows}
            lost = set(result.unreadable.loc[result.unreadable["table"] == table, "record_key"].dropna())
            read |= {(institution, e, delivery, k) for e in entities for k in keys}
            aside |= {(institution, e, delivery, k) for e in entities for k in lost}
    truth = pd.read_csv(root / "truth" / "records.csv", dtype=str, keep_default_na=False)
    places = list(zip(truth["institution"], truth["entity"], truth["delivery"], truth["record_key"], strict=True))
    unparseable = [p for p, status in zip(places, truth["expected_status"], strict=True) if status == "unparseable"]
    assert [p for p in places if p not in read and p not in aside] == []
    assert [p for p in unparseable if p not in aside] == []
