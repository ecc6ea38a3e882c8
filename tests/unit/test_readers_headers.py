"""Which delivered header is which declared column, and what is said about it."""

from __future__ import annotations

import pytest

from sources import contract
from sources.readers import headers

PERSONAT = contract.load("police").tables["personat"]
LENDET = contract.load("inspectorate").tables["lendet"]
NAMES = [c.name for c in LENDET.columns]


@pytest.mark.parametrize(
    ("name", "folded"),
    [("Nr. i lëndës", "nr i lendes"), ("NUMRI_PERSONAL", "nr personal"), ("Shtetësia", "shtetesia"), ("  ", ""), ("Nr_PP", "nr pp")],
)
def test_folding_leaves_words_only(name: str, folded: str) -> None:
    assert headers.normalise_name(name) == folded


def test_exact_names_are_no_finding() -> None:
    found = headers.match_header_to_columns(NAMES, LENDET)
    assert list(found.columns.values()) == NAMES
    assert found.findings == []


@pytest.mark.parametrize(
    ("delivered", "declared"),
    [
        ("Numri i lëndës", "Nr. i lëndës"),
        ("Nr personal", "Nr. personal"),
        ("Vepra penale e dyshuar", "Vepra e dyshuar"),
        ("DATA E DERGIMIT", "Data e dërgimit"),
    ],
)
def test_other_words_for_a_column_are_recognised(delivered: str, declared: str) -> None:
    found = headers.match_header_to_columns([delivered if n == declared else n for n in NAMES], LENDET)
    assert [found.columns[i] for i in sorted(found.columns)] == NAMES
    assert found.findings == [{"rule": "file-column-renamed", "field": declared, "detail": delivered}]


def test_a_column_of_another_meaning_is_extra_and_the_declared_one_missing() -> None:
    names = [n for n in NAMES if n != "Grada"]
    found = headers.match_header_to_columns([*names, "Vërejtje"], LENDET, fits_column=lambda *_: False)
    assert list(found.extra.values()) == ["Vërejtje"]
    assert found.missing == ["Grada"]


def test_a_name_at_the_right_place_is_taken_only_where_its_cells_fit() -> None:
    names = ["???" if n == "Data e pranimit" else n for n in NAMES]
    assert headers.match_header_to_columns(names, LENDET, fits_column=lambda *_: True).missing == []
    assert headers.match_header_to_columns(names, LENDET, fits_column=lambda *_: False).missing == ["Data e pranimit"]


def test_the_same_header_twice_and_headers_without_a_name_stay_apart() -> None:
    found = headers.match_header_to_columns([*NAMES, "Grada", "", ""], LENDET)
    assert list(found.extra.values()) == ["Grada (2)", "column 13", "column 14"]


def test_a_header_that_bears_the_name_of_a_position_is_renamed() -> None:
    assert list(headers.match_header_to_columns([*NAMES, "_line"], LENDET).extra.values()) == ["line (2)"]


def test_a_row_is_a_header_when_it_names_half_of_the_columns() -> None:
    assert headers.is_header(NAMES[:6], LENDET)
    assert not headers.is_header(NAMES[:4], LENDET)
    assert not headers.is_header([c.name for c in PERSONAT.columns], LENDET)


def test_police_headers_in_other_words() -> None:
    changed = {"Nr_personal": "Numri_personal", "Data_lindjes": "Datelindja"}
    found = headers.match_header_to_columns([changed.get(c.name, c.name) for c in PERSONAT.columns], PERSONAT)
    assert found.missing == []
    assert {f["field"] for f in found.findings} == set(changed)
