"""No name and no personal number of anybody outside the stores that hold them: searched for, every one of them, in everything else.

The persons of the truth and every personal value that was delivered wrong; over simulated deliveries with every kind of fault, a run that
fails.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from hostile_names import planted
from personal_world import found, persons, taken_out

from harmonia.errors import HarmoniaError
from pipelines.assets import statistics
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate


def failing(place: Workplace, truth: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a run says that stumbles over a row of somebody."""
    numbers, names = persons(truth)

    def stumbles(*_: object) -> None:
        raise ValueError(f"cannot count {max(names)} {max(numbers)}")

    (place.home.lake / "statistics").rename(place.home.lake / "statistics before")  # else nothing is counted again
    with monkeypatch.context() as patched, pytest.raises(HarmoniaError) as failed:
        patched.setattr(statistics, "open_database_of_counting_models", stumbles)
        run_everything(place, SilentListener())
    return str(failed.value)


@pytest.mark.slow  # a whole run
def test_names_of_files_sheets_columns_and_codes_stay_where_they_may(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made = simulate(tmp_path / "set", seed=29, start=2013, years=1, cases_per_year=30)
    planted(made.inbox, made.truth)
    place = Workplace.from_paths(made.inbox, tmp_path / "home")
    run_everything(place, SilentListener())
    taken_out(place.home.root, "2014-06-30", "2013")
    output = capfd.readouterr()
    assert found(place.home.root, made.truth, {"log": caplog.text, "output": output.out + output.err}) == []


@pytest.mark.slow  # two whole runs
def test_nobody_is_found_outside_the_personal_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made = simulate(tmp_path / "set", seed=23, start=2013, years=1, cases_per_year=30, noise="hard")
    for wrong in sorted(made.inbox.glob("*/*"))[::4]:  # a run full of errors: names of files, cut files, rows that are none
        for path in [p for p in wrong.iterdir() if p.is_file()]:
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
            shutil.copyfile(path, wrong / f"copy of {path.name}")
    place = Workplace.from_paths(made.inbox, tmp_path / "home")
    run_everything(place, SilentListener())
    taken_out(place.home.root, "2014-06-30", "2013")
    said = failing(place, made.truth, monkeypatch)
    output = capfd.readouterr()
    assert found(place.home.root, made.truth, {"error": said, "log": caplog.text, "output": output.out + output.err}) == []
    planted = place.logs / "planted.log"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"of {max(persons(made.truth)[1])}", "utf-8")
    assert found(place.home.root, made.truth, {}) == ["logs/planted.log"]  # the search does find
    with (made.truth / "persons.csv").open(encoding="utf-8", newline="") as file:
        spelt = next(f"{p['given_name']} {p['surname']}" for p in csv.DictReader(file) if not p["surname"].isascii())
    planted.write_text(json.dumps({"message": spelt}), "utf-8")  # as Dagster's history would hold it: ASCII alone
    assert planted.read_text("ascii")
    assert found(place.home.root, made.truth, {}) == ["logs/planted.log"]
