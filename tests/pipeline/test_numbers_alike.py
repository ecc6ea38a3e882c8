"""A prosecution that numbers files and parties alike gives what one gives whose numbers never meet: both name their own records."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from pipeline_world import Ran

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import numbering, simulate
from warehouse.tables import WAREHOUSE

pytestmark = pytest.mark.slow  # a whole run

TEXTS = ("value", "detail", "finding")  # hold keys, or are made of them


def _without_keys(place: Workplace) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every published table without what is or holds a key."""
    with duckdb.connect(str(place.home.warehouse), read_only=True) as connection:
        found = {}
        for name, table in WAREHOUSE.tables.items():
            kept = [c.name for c in table.columns if not (c.name.endswith(("_id", "_key")) or c.name in TEXTS or c.name == "chain")]
            columns = ", ".join(f'"{column}"' for column in kept)
            found[name] = connection.execute(f'SELECT {columns} FROM "{name}" ORDER BY ALL').fetchall()
        return found


def test_files_and_parties_of_one_number_are_distinguished(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbering, "FIRST_PARTY", numbering.FIRST_FILE - 24)  # parties of older files have the first numbers
    alike = simulate(tmp_path / "set", seed=7, start=2013, years=1, cases_per_year=12, noise="typical").inbox
    place = Workplace.from_paths(alike, tmp_path / "home")
    run_everything(place, SilentListener())
    expected, found = _without_keys(ran.place), _without_keys(place)
    assert {name for name in expected if expected[name] != found[name]} == set()
    with duckdb.connect(str(place.home.warehouse), read_only=True) as connection:
        both = "SELECT record_key FROM lineage WHERE institution = 'prosecution' AND entity = '{}'"
        assert connection.execute(f"{both.format('case')} INTERSECT {both.format('person')}").fetchall(), "no number was borne by both"
