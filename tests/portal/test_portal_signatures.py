"""A signature from the portal to the figures: preliminary until the head signs, and again after a new delivery."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from harmonia import signing
from harmonia.registry import open_registry
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from warehouse.indicators.catalogue import catalogue

pytestmark = pytest.mark.slow
QUARTER = "2013-Q1"


def signatures(home: Path, institution: str) -> dict[str, str | None]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        return dict(warehouse.execute("SELECT period, signature FROM coverage WHERE institution = ?", [institution]).fetchall())


def preliminary(home: Path, period: str) -> dict[str, bool]:
    """Indicator -> whether its figures of a period are preliminary; one value an indicator."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("SELECT DISTINCT indicator, preliminary FROM every_statistic WHERE period = ?", [period]).fetchall()
    assert len(dict(found)) == len(found), "all figures of an indicator and period agree"
    return dict(found)


def test_figures_are_preliminary_until_their_quarters_are_signed(pristine: Workplace, tmp_path: Path) -> None:
    shutil.copytree(pristine.inbox.parent, tmp_path / "set", symlinks=True)
    place = Workplace.from_paths(tmp_path / "set" / "inbox", tmp_path / "set" / "home")
    home = place.home.root
    for folder in place.inbox.glob("*/2013-Q4*"):
        shutil.rmtree(folder)
    registry = open_registry(place.registry)
    institutions = {code: set(one.institutions) for code, one in catalogue().items()}

    def delivered(institution: str) -> bool:
        return signatures(home, institution).get(QUARTER) is not None

    def expected(signed: set[str]) -> dict[str, bool]:
        """From the page on completeness: preliminary where an institution that delivered has not signed."""
        found = preliminary(home, QUARTER)
        return {code: any(name not in signed and delivered(name) for name in institutions[code]) for code in found}

    run_everything(place, SilentListener())
    before = preliminary(home, QUARTER)
    assert before == expected(set()) and any(before.values())
    assert signatures(home, "police")[QUARTER] == "unsigned"
    signing.sign_quarter(
        registry,
        "police",
        QUARTER,
        "head.police@demo.invalid",
        signing.read_signature_states(registry, "police")["police", QUARTER].content_hash,
    )
    run_everything(place, SilentListener())
    after = preliminary(home, QUARTER)
    assert after == expected({"police"}) and sum(after.values()) < sum(before.values())
    assert signatures(home, "police")[QUARTER] == "signed"
    assert signatures(home, "police")["2013"] == "unsigned", "a year is signed when its quarters are"
    assert all(preliminary(home, "2013")[code] for code in after if institutions[code] == {"police"})
    shutil.copytree(place.inbox / "police" / QUARTER, place.inbox / "police" / f"{QUARTER}_v2")
    with next((place.inbox / "police" / f"{QUARTER}_v2").glob("*.csv")).open("ab") as file:
        file.write(b"\n")
    run_everything(place, SilentListener())
    assert signatures(home, "police")[QUARTER] == "reopened"
    assert preliminary(home, QUARTER) == before
    state = signing.read_signature_states(registry, "police")["police", QUARTER]
    assert (state.state, state.changed) == ("reopened", (f"{QUARTER}_v2",)), "it says what changed"
    registry.close()
