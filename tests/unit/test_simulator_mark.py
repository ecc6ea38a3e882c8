"""A model trains on what the simulator made, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from harmonia.errors import HarmoniaError
from harmonia.training import collect_training_data_from_simulated_sets
from sources.simulator import answers, simulate


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "set"
    simulate(folder, years=1, cases_per_year=4)
    return folder


def test_a_set_bears_the_mark_of_its_own_truth(made: Path) -> None:
    assert answers.is_simulated_set(made)


@pytest.mark.parametrize("mark", ["{}", "[]", "no json", None])
def test_deliveries_with_a_truth_that_the_simulator_did_not_write_do_not_train(made: Path, tmp_path: Path, mark: str | None) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "records.csv").write_bytes((made / "truth" / "records.csv").read_bytes())
    if mark is not None:
        (tmp_path / answers.MARK).write_text(mark)
    with pytest.raises(HarmoniaError, match="is not an unchanged simulated set"):
        collect_training_data_from_simulated_sets([tmp_path])


def test_the_mark_of_one_set_does_not_serve_another_truth(made: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "truth").mkdir()
    (tmp_path / answers.MARK).write_bytes((made / answers.MARK).read_bytes())
    (tmp_path / "truth" / "records.csv").write_text("institution,entity,record_key,case_id,person_id\n")
    assert not answers.is_simulated_set(tmp_path)
