"""Damaged deliveries: no figure passes for complete, and every output says the same; `python -m tests.oracle.states` measures all of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.oracle.states.check import check
from tests.oracle.states.damages import INSTITUTIONS, KINDS, QUARTERS, plan
from tests.oracle.states.outputs import named, of_lines, of_status
from tests.oracle.states.scenario import build

HARMONIA = Path(sys.executable).with_name("harmonia")


def test_every_damage_meets_every_institution_in_a_delivery_of_its_own() -> None:
    damages = plan()
    assert len({(damage.institution, damage.quarter) for damage in damages}) == len(damages) == len(INSTITUTIONS) * len(KINDS)
    assert {damage.quarter for damage in damages} == set(QUARTERS)


def test_states_are_read_from_text() -> None:
    assert named("police 2014-Q1 partial, courts 2014-Q2 missing") == {
        ("police", "2014-Q1"): "partial",
        ("courts", "2014-Q2"): "missing",
    }
    assert of_lines("Incomplete: police 2014-Q1\n partial.") == {("police", "2014-Q1"): "partial"}
    assert of_status("State\n\n quarter  police \n ────── \n 2014-Q1  partial, late \n\n") == {("police", "2014-Q1"): "partial"}


@pytest.mark.slow
@pytest.mark.long
def test_no_damage_passes_for_complete(tmp_path: Path) -> None:
    build(tmp_path, HARMONIA, cases_per_year=60, forms=False)  # the forms of releases: test_releases.py
    for step, faults in check(tmp_path).items():
        assert not faults.passing, step
        assert not faults.differing, step
        assert not faults.other, step
