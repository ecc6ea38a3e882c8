"""Cases counted piece by piece come to what cases counted at once do, in the lake and in the published stores."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pipeline_world import Ran

from pipelines.assets import counting, counting_apart, counting_cut, counting_memory
from pipelines.assets.counting_inputs import Before
from pipelines.resources import lake, parquet
from pipelines.resources.lake import Tables
from pipelines.resources.workplace import Workplace
from warehouse import tables
from warehouse.publish import publish
from warehouse.star.build import everything
from warehouse.stores import arranged

NUMBERED = ("event_id", "chain")  # running numbers, in whatever order the rows come


def before(stages: Path) -> Before:
    return Before(*(Tables(stages / stage) for stage in ("canonical", "identities", "standing", "findings")))


@pytest.fixture(scope="module")
def read(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A home whose lake holds what counting reads, some files by their persons alone."""
    place = Workplace.of(ran.place.inbox, tmp_path_factory.mktemp("read") / "home")
    for stage in ("canonical", "identities", "standing", "findings"):
        shutil.copytree(ran.place.home.lake / stage, place.home.lake / stage)
    files = place.home.lake / "canonical" / "case_records.parquet"
    records = parquet.read_table(files)
    parquet.write_table(files, records[(records["institution"] != "police") | (records.index % 3 > 0)].reset_index(drop=True))
    return place


@pytest.fixture(scope="module")
def at_once(read: Workplace) -> dict[str, list[str]]:
    """What counting all cases of that home at once makes."""
    return {name: alike(frame) for name, frame in everything(before(read.home.lake).inputs()).items()}


def copied(home: Workplace, root: Path) -> Workplace:
    shutil.copytree(home.home.root, root)
    return Workplace.of(home.inbox, root)


@pytest.fixture(scope="module")
def apart(read: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The same home with what counting in pieces of a few cases made."""
    place = copied(read, tmp_path_factory.mktemp("apart") / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting_apart, "MOST", 150)
        counting_apart.count_apart(place, before(place.home.lake))
    return place


@pytest.fixture
def place(read: Workplace, tmp_path: Path) -> Workplace:
    """A home of one's own in which nothing was counted yet."""
    return copied(read, tmp_path / "home")


@pytest.fixture(scope="module")
def _counted_once(read: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = copied(read, tmp_path_factory.mktemp("counted") / "home")
    counting_apart.count_apart(place, before(place.home.lake))
    return place


@pytest.fixture
def counted(_counted_once: Workplace, tmp_path: Path) -> Workplace:
    """A home of one's own in which every case was counted."""
    return copied(_counted_once, tmp_path / "home")


def alike(frame: pd.DataFrame) -> list[str]:
    """Rows without running numbers, in an order of their own."""
    return sorted(map(str, frame.drop(columns=[c for c in NUMBERED if c in frame]).astype("str").itertuples(index=False, name=None)))


def test_every_table_holds_the_same_rows(apart: Workplace, at_once: dict[str, list[str]]) -> None:
    made = Tables(apart.home.lake / "statistics")
    assert set(made) == set(at_once)
    assert {name for name, rows in at_once.items() if rows != alike(made[name])} == set()
    assert [p.name for p in apart.home.lake.iterdir() if p.name.startswith(".")] == []


def _earlier(stages: Path, quarter: int) -> None:
    """Make of the stages in a lake what an earlier run may have left: a quarter not delivered yet, files not known yet, others dated and
    linked otherwise."""
    held = {stage: lake.read(stages / stage) for stage in ("canonical", "identities", "standing")}
    deliveries = held["standing"]["deliveries"]
    held["standing"]["deliveries"] = deliveries[deliveries["period"] != sorted(deliveries["period"].unique())[quarter]]
    file_of = {name: frame["case_key"].fillna(frame["record_key"]) for name, frame in held["canonical"].items()}
    files = sorted(set(file_of["case_records"]))
    absent, otherwise = files[quarter::9], files[quarter + 1 :: 9]
    for name, frame in held["canonical"].items():
        dates = (
            {"date": frame["date"].mask(file_of[name].isin(otherwise), frame["date"] - pd.Timedelta(days=40))} if name == "events" else {}
        )
        held["canonical"][name] = frame.assign(**dates)[~file_of[name].isin(absent)]
    cases = held["identities"]["cases"]
    held["identities"]["cases"] = cases.assign(
        case_id=cases["case_id"].mask(cases["record_key"].isin(otherwise[::2]), cases["case_id"] + "x")
    )
    for stage, frames in held.items():
        lake.write(stages / stage, {name: frame.reset_index(drop=True) for name, frame in frames.items()})


def _counted(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows are counted now."""
    rows: list[int] = []
    touched = counting_apart._touched
    with monkeypatch.context() as patch:
        patch.setattr(counting_apart, "_touched", lambda *args: rows.append((found := touched(*args))[2]) or found)
        counting_apart.count_apart(place, before(place.home.lake))
    return rows[0]


@pytest.mark.parametrize("quarter", [0, pytest.param(1, marks=pytest.mark.slow), 3])
def test_what_stays_as_it_is_is_not_counted_again(
    place: Workplace, at_once: dict[str, list[str]], quarter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = place.home.lake
    habits = counting_cut.habits(before(stages))  # in so few records every delivery changes them, and then all cases are counted
    monkeypatch.setattr(counting_cut, "habits", lambda _: habits)
    shutil.copytree(stages, place.home.root / "later")
    _earlier(stages, quarter)
    counting_apart.count_apart(place, before(stages))
    for stage in ("canonical", "identities", "standing"):
        shutil.rmtree(stages / stage)
        shutil.copytree(place.home.root / "later" / stage, stages / stage)
    touched, untouched = _counted(place, monkeypatch), _counted(place, monkeypatch)
    made = Tables(stages / "statistics")
    assert {name for name, rows in at_once.items() if rows != alike(made[name])} == set()
    assert untouched == 0 < touched
    assert touched < before(stages).rows() or quarter == 0  # by the first quarter all days are judged


def test_a_memory_of_other_code_or_that_is_damaged_is_not_used(counted: Workplace) -> None:
    stages = before(counted.home.lake)
    folder, deliveries, habits = counted.home.lake / "counting_memory", stages.standing["deliveries"], counting_cut.habits(stages)
    wanted = counting_memory.token(deliveries, habits)
    assert len(counting_memory.opened(folder, wanted).cases) > 10
    assert counting_memory.opened(folder, wanted + "other").cases.empty
    assert counting_memory.token(deliveries[deliveries["period"] > deliveries["period"].min()], habits) != wanted
    assert counting_memory.token(deliveries, habits * 2) != wanted
    (folder / "fact_event.parquet").write_bytes((folder / "fact_event.parquet").read_bytes()[:1000])
    assert counting_memory.opened(folder, wanted).cases.empty


def test_where_kept_rows_cannot_be_read_everything_is_counted(counted: Workplace, at_once: dict[str, list[str]]) -> None:
    kept = counted.home.lake / "counting_memory" / "fact_event.parquet"
    content = kept.read_bytes()
    kept.unlink()  # it is the published one, too
    kept.write_bytes(content[:200] + bytes(len(content) // 2) + content[len(content) // 2 + 200 :])
    counting_apart.count_apart(counted, before(counted.home.lake))
    made = Tables(counted.home.lake / "statistics")
    assert {name for name, rows in at_once.items() if rows != alike(made[name])} == set()
    counting_apart.count_apart(counted, before(counted.home.lake))  # what was damaged is gone


def test_what_was_kept_goes_where_a_history_is_counted_at_once(counted: Workplace) -> None:
    (counted.home.lake / ".statistics.pieces" / "records").mkdir(parents=True)  # of a killed run
    counting.made(counted, before(counted.home.lake))
    assert [name for name in ("counting_memory", ".statistics.pieces") if (counted.home.lake / name).exists()] == []


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
