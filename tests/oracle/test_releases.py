"""Releases against the warehouse, over histories that the command line writes; `python -m tests.oracle.releases` measures all of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.oracle.releases.compare import Result, compare_history
from tests.oracle.releases.history import PLANS, SMALL, Plan, build

HARMONIA = Path(sys.executable).with_name("harmonia")


def compared(folder: Path, plan: Plan, *, forms: bool) -> Result:
    build(folder, plan, HARMONIA, forms=forms)
    total = Result()
    for _, result in compare_history(folder):
        total.add(result)
    return total


def check(result: Result) -> None:
    assert result.figures
    assert not result.wrong_figures
    assert not result.wrong_lines
    assert not result.other


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    build(folder, SMALL, HARMONIA, forms=False)
    return folder


@pytest.mark.slow
def test_a_small_history_prints_what_the_warehouse_holds(small: Path) -> None:
    result = compared(small, SMALL, forms=False)
    check(result)
    assert not result.not_flagged


@pytest.mark.slow
def test_the_oracle_finds_an_exchanged_figure(small: Path) -> None:
    cube = max((small / "home" / "releases").iterdir()) / "public" / "cube.csv"
    as_written = cube.read_text(encoding="utf-8")
    line = next(row for row in as_written.splitlines() if row.startswith("cases_registered,harmonised,total"))
    fields = line.split(",")
    fields[12] = str(int(fields[12]) + 1)
    cube.write_text(as_written.replace(line, ",".join(fields)), encoding="utf-8")
    try:
        assert [form for form, _ in compared(small, SMALL, forms=False).wrong_figures] == ["csv"]
    finally:
        cube.write_text(as_written, encoding="utf-8")


@pytest.mark.slow
def test_every_form_of_five_releases_prints_what_the_warehouse_holds(tmp_path: Path) -> None:
    check(compared(tmp_path, PLANS[0], forms=True))
