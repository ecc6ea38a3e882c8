"""Record keys as text, and how much of a cut row still counts as one."""

from __future__ import annotations

import pytest

from sources import contract
from sources.readers.file_reading import build_record_key, read_key_part

PERSONAT = contract.load("police").tables["personat"]
REGISTER = contract.load("corrections").tables["te_burgosurit"]
DEFENDANT = contract.load("courts").tables["i_pandehur"]


@pytest.mark.parametrize(
    ("value", "whole", "key"),
    [
        ("2013-PR-00001", False, "2013-PR-00001"),
        ("2013-PR-0000", True, None),
        (" 2013-PR-00001 ", True, "2013-PR-00001"),
        ("", True, None),
        (None, True, None),
    ],
)
def test_a_case_number_of_fixed_length_is_whole_or_no_key(value: str | None, whole: bool, key: str | None) -> None:
    assert read_key_part(PERSONAT.column("Nr_rastit"), value, whole) == key


def test_a_running_number_may_have_lost_digits() -> None:
    assert read_key_part(PERSONAT.column("Nr_rendor"), "1", is_complete=True) == "1"
    assert read_key_part(PERSONAT.column("Nr_rendor"), "1", is_complete=False) is None


@pytest.mark.parametrize(
    ("day", "key"),
    [
        ("2013-04-02", "P-00001/2013-04-02"),
        ("02.04.2013", "P-00001/2013-04-02"),
        ("2.4.2013", "P-00001/2013-04-02"),
        ("prill", None),
        (None, None),
    ],
)
def test_a_day_in_a_key_is_an_iso_date(day: str | None, key: str | None) -> None:
    assert build_record_key(REGISTER, {"ID": "P-00001", "Data e pranimit": day}) == key


def test_parts_are_joined_in_declared_order() -> None:
    assert build_record_key(DEFENDANT, {"id": "2", "lenda_nr": "PKR.nr.12/2013"}) == "PKR.nr.12/2013/2"
