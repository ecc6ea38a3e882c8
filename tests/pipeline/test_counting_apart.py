"""Cases counted piece by piece come to what cases counted at once do, in the lake and in the published stores."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pipeline_world import Ran

from pipelines.assets import counting_apart
from pipelines.assets.counting_inputs import Before
from pipelines.resources import lake
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace
from warehouse import tables
from warehouse.publish import publish
from warehouse.star.build import everything
from warehouse.stores import arranged

NUMBERED = ("event_id", "chain")  # running numbers, in whatever order the rows come


def before(stages: Path) -> Before:
    return Before(*(Tables(stages / stage) for stage in ("canonical", "identities", "standing", "findings")))


@pytest.fixture
def apart(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A home whose lake holds what counting reads, some files by their persons alone, and what counting in pieces of a few cases made."""
    place = Workplace.of(ran.place.inbox, tmp_path / "home")
    for stage in ("canonical", "identities", "standing", "findings"):
        shutil.copytree(ran.place.home.lake / stage, place.home.lake / stage)
    files = place.home.lake / "canonical" / "case_records.parquet"
    records = lake.read_table(files)
    lake.write_table(files, records[(records["institution"] != "police") | (records.index % 3 > 0)].reset_index(drop=True))
    monkeypatch.setattr(counting_apart, "MOST", 150)
    counting_apart.count_apart(place, before(place.home.lake))
    return place


def alike(frame: pd.DataFrame) -> list[str]:
    """Rows without running numbers, in an order of their own."""
    return sorted(map(str, frame.drop(columns=[c for c in NUMBERED if c in frame]).astype("str").itertuples(index=False, name=None)))


def test_every_table_holds_the_same_rows(apart: Workplace) -> None:
    at_once, made = everything(before(apart.home.lake).inputs()), Tables(apart.home.lake / "statistics")
    assert set(made) == set(at_once)
    assert {name for name, frame in at_once.items() if alike(frame) != alike(made[name])} == set()
    assert [p.name for p in apart.home.lake.iterdir() if p.name.startswith(".")] == []


def test_rows_are_numbered_through(apart: Workplace) -> None:
    made = Tables(apart.home.lake / "statistics")
    assert made["fact_event"]["event_id"].to_list() == list(range(1, len(made["fact_event"]) + 1))
    stays = made["fact_stay"]
    assert stays["chain"].is_monotonic_increasing and stays["chain"].max() == stays["first_of_chain"].sum()


def test_the_stores_take_rows_that_are_not_held(apart: Workplace, tmp_path: Path) -> None:
    made = Tables(apart.home.lake / "statistics")
    persons = pd.DataFrame(columns=[c.name for c in tables.PERSONS.columns], dtype="str")
    for name, held in {"held": True, "lying": False}.items():
        (tmp_path / name).mkdir()
        publish(arranged(dict(made) if held else {n: made.scan(n) for n in made}, persons, b"k" * 32), tmp_path / name)
    for store in ("warehouse", "analysts", "identity"):
        with duckdb.connect(str(tmp_path / "held" / f"{store}.duckdb"), read_only=True) as one:
            one.execute(f"ATTACH '{tmp_path / 'lying' / f'{store}.duckdb'}' AS other (READ_ONLY)")
            for (name,) in one.execute("SELECT table_name FROM duckdb_tables() WHERE database_name <> 'other'").fetchall():
                left, right = f'SELECT * FROM "{name}"', f'SELECT * FROM other."{name}"'
                assert one.execute(f"({left} EXCEPT ALL {right}) UNION ALL ({right} EXCEPT ALL {left})").fetchall() == [], name
