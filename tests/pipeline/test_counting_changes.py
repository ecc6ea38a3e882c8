"""Whatever changes between two runs, counting that keeps what it made of untouched cases comes to what counting at once does."""

from __future__ import annotations

import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pipeline_world import Ran

from pipelines.assets import counting, counting_apart, counting_cut, counting_memory
from pipelines.assets.counting_inputs import Before
from pipelines.definitions import all_assets, build_definitions
from pipelines.jobs import HARMONISE_EVERYTHING
from pipelines.resources import lake
from pipelines.resources.lake import Frames, Tables
from pipelines.resources.workplace import Workplace
from sources.simulator import simulate
from warehouse.star.build import everything

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")]
STAGES = ("canonical", "identities", "standing", "findings")
NUMBERED = ("event_id", "chain")  # running numbers, in whatever order the rows come
AFTER = ("warehouse", "feedback", "scorecard")  # what comes after counting
Lake = dict[str, Frames]


def _rows(frame: pd.DataFrame) -> list[str]:
    """Rows without running numbers, in an order of their own."""
    return sorted(map(str, frame.drop(columns=[c for c in NUMBERED if c in frame]).astype("str").itertuples(index=False, name=None)))


def _chains(stays: pd.DataFrame) -> list[str]:
    """The stays of each chain, whatever its number."""
    return sorted(map(str, stays.groupby("chain")["record_key"].agg(tuple)))


def _before(place: Workplace) -> Before:
    return Before(*(Tables(place.home.lake / stage) for stage in STAGES))


def _otherwise(place: Workplace) -> list[str]:
    """Which published tables are not as counting at once makes them now."""
    at_once, made = everything(_before(place).inputs()), Tables(place.home.lake / "statistics")
    wrong = [name for name in at_once if name not in made or _rows(at_once[name]) != _rows(made[name])]
    numbered = made["fact_event"]["event_id"].to_list() == list(range(1, len(made["fact_event"]) + 1))
    return wrong + ["numbers"] * (not numbered) + ["chains"] * (_chains(made["fact_stay"]) != _chains(at_once["fact_stay"]))


def _kept(place: Workplace) -> int:
    """How many cases the memory holds."""
    wanted = counting_memory.token(_before(place).standing["deliveries"], counting_cut.habits(_before(place)))
    return len(counting_memory.opened(place.home.lake / "counting_memory", wanted).cases)


@dg.logger({})
def _quiet(_: dg.InitLoggerContext) -> logging.Logger:
    return logging.Logger("quiet")


def _run(place: Workplace) -> None:
    """A run up to counting."""
    place.ready()
    definitions = build_definitions(place, hold_lock=False, loggers={"console": _quiet})
    wanted = [key for asset in all_assets() for key in asset.keys if key.path[-1] not in AFTER]
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def(HARMONISE_EVERYTHING)
        job.execute_in_process(instance=instance, asset_selection=wanted, run_config={"loggers": {"console": {"config": {}}}})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two years with corrections, faults of every kind and deliveries that came late."""
    return simulate(tmp_path_factory.mktemp("changes") / "set", seed=12, start=2013, years=2, cases_per_year=15, noise="typical").inbox


def _corrections_last(delivery: Path) -> str:
    return "corrections" if "_v" in delivery.name else delivery.name[:4]


def _an_institution_at_a_time(delivery: Path) -> str:
    return delivery.parts[0]


def _shuffled(delivery: Path) -> str:
    return str(random.Random(f"5 {delivery}").randrange(4))


@pytest.mark.parametrize("portion_of", [_corrections_last, _an_institution_at_a_time, _shuffled])
def test_portions_in_any_order(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portion_of: Callable[[Path], str]) -> None:
    monkeypatch.setattr(counting, "MOST", 0)
    monkeypatch.setattr(counting_apart, "MOST", 500)
    place = Workplace.of(tmp_path / "inbox", tmp_path / "home")
    every = sorted(path.relative_to(world) for path in world.glob("*/*") if path.is_dir())
    for portion in sorted({portion_of(path) for path in every}):
        for delivery in (path for path in every if portion_of(path) == portion):
            shutil.copytree(world / delivery, place.inbox / delivery)
        _run(place)
        assert _otherwise(place) == [], portion
        assert _kept(place) >= len(Tables(place.home.lake / "statistics")["fact_case"])


def _files(held: Lake) -> pd.DataFrame:
    return held["canonical"]["case_records"].drop_duplicates(["institution", "case_key"], ignore_index=True)


def _of_file(frame: pd.DataFrame, file: pd.Series) -> pd.Series:
    return (frame["institution"] == file["institution"]) & (frame["case_key"] == file["case_key"])


def _each(held: Lake, change: Callable[[str, pd.DataFrame], pd.DataFrame]) -> None:
    held["canonical"] = {name: change(name, frame).reset_index(drop=True) for name, frame in held["canonical"].items()}


def _becomes(status: str) -> Callable[[Lake], None]:
    def change(held: Lake) -> None:
        file = _files(held).iloc[3]
        _each(held, lambda _, frame: frame.assign(status=frame["status"].mask(_of_file(frame, file), status)))

    return change


def _file_vanishes(held: Lake) -> None:
    file = _files(held).iloc[5]
    _each(held, lambda _, frame: frame[~_of_file(frame, file)])


def _known_by_its_persons_alone(held: Lake) -> None:
    file = held["canonical"]["person_records"].iloc[0]
    _each(held, lambda name, frame: frame[~_of_file(frame, file)] if name == "case_records" else frame)


def _ids(held: Lake, entity: str, change: Callable[[pd.Series], pd.Series]) -> None:
    frame, column = held["identities"][f"{entity}s"], f"{entity}_id"
    held["identities"][f"{entity}s"] = frame.assign(**{column: change(frame[column]).astype("str")})


def _merged(entity: str) -> Callable[[Lake], None]:
    """Two of them are one; of persons of different cases that ties these."""
    return lambda held: _ids(held, entity, lambda ids: ids.mask(ids == ids.iloc[0], ids.iloc[-1]))


def _split(entity: str) -> Callable[[Lake], None]:
    def change(ids: pd.Series) -> pd.Series:
        several = ids[ids.duplicated()].index[0]
        return ids.mask(ids.index == several, "of its own")

    return lambda held: _ids(held, entity, change)


def _exchanged(entity: str) -> Callable[[Lake], None]:
    """Each has the id of the other."""

    def change(ids: pd.Series) -> pd.Series:  # of others than the change before touched: what that one's way back counts proves nothing
        one, other = ids.iloc[len(ids) // 3], ids.iloc[2 * len(ids) // 3]
        return ids.replace({one: other, other: one})

    return lambda held: _ids(held, entity, change)


def _delivery(state: str) -> Callable[[Lake], None]:
    def change(held: Lake) -> None:
        frame = held["standing"]["deliveries"]
        held["standing"]["deliveries"] = frame.assign(state=frame["state"].mask(frame.index == len(frame) // 2, state))

    return change


def _person_with_the_number_of_a_file(held: Lake) -> None:
    persons = held["canonical"]["person_records"]
    of = persons["institution"] == "prosecution"
    number, file = persons.loc[of, "record_key"].iloc[0], persons.loc[of, "case_key"].iloc[-1]
    assert not (of & (persons["record_key"] == file)).any()

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        hit = (frame["institution"] == "prosecution") & (frame["record_key"] == number)
        return frame.assign(
            record_key=frame["record_key"].mask(hit & ((frame["case_key"] != number) if "case_key" in frame else hit), file)
        )

    _each(held, lambda name, frame: frame if name == "case_records" else change(frame))
    held["identities"]["persons"] = change(held["identities"]["persons"])


def _person_moves_to_another_file(held: Lake) -> None:
    persons = held["canonical"]["person_records"]
    one, other = persons[persons["institution"] == "police"].iloc[[0, -1]].itertuples()

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        hit = (frame["institution"] == "police") & (frame["record_key"] == one.record_key)
        return frame.assign(case_key=frame["case_key"].mask(hit, other.case_key))

    _each(held, lambda _, frame: change(frame))


CHANGES: dict[str, Callable[[Lake], None]] = {
    **{f"a file is {status} later": _becomes(status) for status in ("withdrawn", "quarantined", "superseded")},
    "a file vanishes": _file_vanishes,
    "a file is known by its persons alone": _known_by_its_persons_alone,
    **{f"two {entity}s are one": _merged(entity) for entity in ("case", "person")},
    **{f"a {entity} is split": _split(entity) for entity in ("case", "person")},
    **{f"two {entity}s exchange their ids": _exchanged(entity) for entity in ("case", "person")},
    **{f"a delivery becomes {state}": _delivery(state) for state in ("partial", "unreadable")},
    "a person has the number of a file": _person_with_the_number_of_a_file,
    "a person moves to another file": _person_moves_to_another_file,
}


def test_any_change_and_the_way_back(ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting_apart, "MOST", 500)
    place = Workplace.of(ran.place.inbox, tmp_path / "home")
    for stage in STAGES:
        shutil.copytree(ran.place.home.lake / stage, place.home.lake / stage)
    counting_apart.count_apart(place, _before(place))
    wrong: dict[str, list[str]] = {}
    for what, change in CHANGES.items():
        held = {stage: lake.read(ran.place.home.lake / stage) for stage in STAGES[:3]}  # each anew: what the last one changed is as it was
        change(held)
        for stage, frames in held.items():
            lake.write(place.home.lake / stage, frames)
        counting_apart.count_apart(place, _before(place))
        wrong[what] = _otherwise(place)
    assert {what: tables for what, tables in wrong.items() if tables} == {}
