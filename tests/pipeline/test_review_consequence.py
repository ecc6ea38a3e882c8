"""The preview of a verdict against runs that hold the verdict."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from pipeline_world import Ran
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.review.consequence import VerdictPreviews
from harmonia.review.judgements import enter_judgements, read_judgements
from harmonia.review.pairs import PAIR
from harmonia.review.published import find_last_published_run, open_home_registry
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything

CELL = ["indicator", "period", "offence_group", "form", "sex", "age_group", "citizenship_group"]
STEWARD = {"steward": "s. steward", "why": "test", "model": None, "weight": None, "blind": False, "origin": None}


def _home(ran: Ran, folder: Path) -> Workplace:
    shutil.copytree(ran.place.home.root, folder, symlinks=True)
    return Workplace.from_paths(ran.place.inbox, folder)


def _figures(place: Workplace) -> pd.Series:
    with duckdb.connect(str(place.home.root / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute(f"SELECT {', '.join(CELL)}, harmonised FROM statistics").df().set_index(CELL)["harmonised"]


def _enter(place: Workplace, pair: pd.DataFrame, verdict: str) -> None:
    registry = open_home_registry(place)
    try:
        enter_judgements(registry, pair[PAIR].assign(verdict=verdict, **STEWARD))
    finally:
        registry.close()


def _predicted(place: Workplace, pair: pd.DataFrame, verdict: str) -> pd.DataFrame:
    registry = open_home_registry(place)
    consequences = VerdictPreviews(find_last_published_run(place.home, registry), registry)
    try:
        return consequences.preview_verdict(pair, verdict, STEWARD["steward"]).figures
    finally:
        consequences.close()
        registry.close()


def _pairs(place: Workplace, size: int) -> pd.DataFrame:
    """The pairs nearest to doubt, half of them joined and half of them refused, with the verdict against the machine."""
    registry = open_home_registry(place)
    try:
        pairs = find_last_published_run(place.home, registry).read_decisions()
    finally:
        registry.close()
    pairs = pairs.assign(verdict=pairs["decision"].map({"joined": "different", "refused": "same"}), doubt=pairs["weight"].abs())
    nearest = pairs.dropna(subset=["verdict"]).sort_values(["doubt", "pair"]).groupby("verdict").head(size - size // 2)
    return nearest.sort_values(["verdict", "doubt", "pair"], kind="stable").head(size)


def _changed(before: pd.Series, after: pd.Series) -> dict[tuple[str, ...], tuple[int, int]]:
    both = pd.concat([before, after], axis=1, keys=["before", "after"]).fillna(0).astype("int64")
    both = both[both["before"] != both["after"]]
    return {tuple(cell): (int(row["before"]), int(row["after"])) for cell, row in zip(both.index, both.to_dict("records"), strict=True)}


def _changes_of(figures: pd.DataFrame) -> dict[tuple[str, ...], tuple[int, int]]:
    rows = figures[[*CELL, "before", "after"]].itertuples(index=False, name=None)
    return {row[: len(CELL)]: (row[-2], row[-1]) for row in rows}


@pytest.mark.slow
def test_twenty_verdicts_change_what_their_previews_say(ran: Ran, tmp_path: Path) -> None:
    before, moved = _figures(ran.place), 0
    for n, pair in enumerate(_pairs(ran.place, 20).to_dict("records")):
        one, verdict = pd.DataFrame([pair])[PAIR], str(pair["verdict"])
        place = _home(ran, tmp_path / str(n))
        said = _changes_of(_predicted(place, one, verdict))
        _enter(place, one, verdict)
        run_everything(place, SilentListener())
        assert said == _changed(before, _figures(place)), f"{pair['pair']} {verdict}"
        moved += len(said) > 0
        shutil.rmtree(place.home.root)
    assert moved >= 5, "too few of the verdicts move a figure: the test shows nothing"


def test_a_preview_names_the_clusters_and_changes_nothing(ran: Ran, tmp_path: Path) -> None:
    place = _home(ran, tmp_path / "home")
    pair = _pairs(place, 1)
    registry = open_home_registry(place)
    before = {path: path.stat().st_mtime_ns for path in place.home.root.rglob("*") if path.is_file() and "registry" not in path.name}
    consequences = VerdictPreviews(find_last_published_run(place.home, registry), registry)
    try:
        found = consequences.preview_verdict(pair, str(pair["verdict"].iloc[0]), "s. steward")
        assert read_judgements(registry).empty
        keys = set(zip(found.records["institution"], found.records["record_key"], strict=True))
        assert {(pair[f"institution_{side}"].iloc[0], pair[f"key_{side}"].iloc[0]) for side in "ab"} <= keys
        assert found.is_effective and not found.is_disputed
        assert (found.records["before"] != found.records["after"]).any()
        _enter(place, pair, str(pair["verdict"].iloc[0]))
        after = consequences.preview_verdict(pair, str(pair["verdict"].iloc[0]), "s. steward")
        assert (after.records["before"] == after.records["after"]).all(), "entered, so that the verdict changes nothing more"
        against = consequences.preview_verdict(pair, {"same": "different", "different": "same"}[str(pair["verdict"].iloc[0])], "another")
        assert not against.is_effective and against.is_disputed, "stewards who disagree: linkage decides"
    finally:
        consequences.close()
        registry.close()
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_preview_on_the_command_line(ran: Ran, tmp_path: Path) -> None:
    place = _home(ran, tmp_path / "home")
    pair = _pairs(place, 1).iloc[0]
    out = CliRunner().invoke(app, ["review", "preview", pair["pair"], pair["verdict"], "--home", str(place.home.root)])
    assert out.exit_code == 0, out.output
    assert pair["key_a"] in out.output
    assert "Nothing was entered" in out.output
