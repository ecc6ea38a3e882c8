"""Nothing is disclosed of another institution unless an agreement says so, and three things only by a separate exception."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from harmonia.comparison.agreements import COLUMNS, ROLES, STATUSES, load_agreements
from harmonia.errors import HarmoniaError
from sources.contract import institutions

ENTRY = {"receivers": ["prosecution"], "roles": ["accused", "case"], "statuses": ["indicted", "final"], "agreement": "MoU 3/2027"}


def written(folder: Path, sender: str, **entry: object) -> Path:
    (folder / sender).mkdir(parents=True)
    (folder / sender / "agreements.yaml").write_text(yaml.safe_dump({"agreements": [{**ENTRY, **entry}]}), "utf-8")
    return folder


def test_as_shipped_nothing_is_allowed() -> None:
    assert load_agreements().cells.empty
    asked = pd.DataFrame([(s, r, role, status) for s in institutions() for r in institutions() for role in ROLES for status in STATUSES])
    assert not load_agreements().are_allowed(asked.set_axis(list(COLUMNS), axis=1)).any()


def test_an_agreement_allows_the_cells_that_it_lists_and_no_other(tmp_path: Path) -> None:
    cells = load_agreements(written(tmp_path, "police")).cells
    assert set(cells["agreement"]) == {"MoU 3/2027"}
    expected = {("police", "prosecution", role, status) for role in ("accused", "case") for status in ("indicted", "final")}
    assert set(cells[list(COLUMNS)].itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize(
    ("sender", "entry", "why"),
    [
        ("inspectorate", {"receivers": ["police"]}, "inspectorate discloses nothing to police"),
        ("courts", {"receivers": ["corrections"], "roles": ["victim"]}, "victims"),
        ("police", {"roles": ["victim"], "receivers": ["courts"]}, "victims"),
        ("police", {"statuses": ["investigation"]}, "before an indictment"),
    ],
)
def test_what_is_closed_by_default_needs_an_exception(tmp_path: Path, sender: str, entry: dict[str, object], why: str) -> None:
    with pytest.raises(HarmoniaError, match=why):
        load_agreements(written(tmp_path / "a", sender, **entry))
    assert len(load_agreements(written(tmp_path / "b", sender, **entry, exception="clause 4")).cells)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"receivers": ["customs"]}, "customs"),
        ({"receivers": ["police"]}, "police"),  # its own records are its own
        ({"roles": ["suspekt"]}, "suspekt"),
        ({"statuses": []}, "statuses missing"),
        ({"agreement": None}, "agreement missing"),
    ],
)
def test_an_entry_that_cannot_be_understood_is_said_with_file_and_way_out(tmp_path: Path, entry: dict[str, object], said: str) -> None:
    with pytest.raises(HarmoniaError, match=said) as error:
        load_agreements(written(tmp_path, "police", **entry))
    assert "police/agreements.yaml, entry 1" in str(error.value)
