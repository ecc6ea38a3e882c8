"""Linkage of what is hardly there, of crowds without a mark, and with model files that are not what they should be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from harmonia.cli.main import app
from harmonia.errors import HarmoniaError
from pipelines.linkage import link_records, model_files
from pipelines.linkage.model import CASES, FOLDER, PERSONS, load_linkage_model
from schemas.canonical import TABLES, conform


def _person(number: int, institution: str = "police", **values: Any) -> dict[str, Any]:
    state = {"institution": institution, "delivery": "2013-Q1", "status": "accepted", "record_key": f"{number}/1", "case_key": str(number)}
    return {**state, "role": "suspect", **values}


def _canonical(persons: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    given = {"person_records": pd.DataFrame(persons)}
    return {name: conform(name, given.get(name, pd.DataFrame())) for name in TABLES}


NAMED = {"given_skeleton": "arben", "surname_skeleton": "krasniqi", "name_tokens": "arben krasniqi"}


def test_nothing_at_all_links_to_nothing() -> None:
    for canonical in ({}, _canonical([])):
        linked = link_records(canonical)
        assert linked.persons.empty
        assert linked.cases.empty


def test_one_record_is_a_person_and_a_case_of_its_own() -> None:
    linked = link_records(_canonical([_person(1, **NAMED)]))
    assert linked.persons["cluster"].tolist() == [0]
    assert linked.cases["cluster"].tolist() == [0]


def test_an_institution_without_records_leaves_the_others_as_they_are() -> None:
    one = {**NAMED, "birth_date": pd.Timestamp("1980-05-17"), "birth_year": 1980, "personal_number": "1012345678", "number_valid": True}
    linked = link_records(_canonical([_person(1, **one), _person(1, institution="prosecution", **one)]))
    assert linked.persons["cluster"].nunique() == 1


def test_records_without_any_value_stay_apart() -> None:
    linked = link_records(_canonical([_person(n) for n in range(200)]))
    assert linked.persons["cluster"].nunique() == 200


def test_a_crowd_with_one_name_and_no_date_is_refused_and_said() -> None:
    linked = link_records(_canonical([_person(n, **NAMED) for n in range(1_000)]))
    assert linked.persons["cluster"].nunique() == 1_000
    assert linked.statistics["blocking_values_refused"] > 0
    assert linked.statistics["blocking_pairs_refused"] == 1_000 * 999 // 2
    assert linked.statistics["person_pairs_compared"] == 0


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    """Both halves of the shipped model in one file."""
    path = tmp_path / "own.json"
    model_files.write_model_file(
        path,
        {"version": "own", "persons": model_files.read_model_file(FOLDER / PERSONS), "cases": model_files.read_model_file(FOLDER / CASES)},
    )
    return path


def _changed(path: Path, **values: Any) -> Path:
    changed = path.with_name("changed.json")
    changed.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")
    return changed


def test_one_file_is_the_model_of_its_two_halves(model_file: Path) -> None:
    assert load_linkage_model(model_file) == load_linkage_model()


def test_shipped_models_are_whole() -> None:
    for path in FOLDER.glob("*.json"):
        assert model_files.read_model_file(path)["version"] == path.stem


def test_a_model_file_is_never_written_over(model_file: Path) -> None:
    before = model_file.read_bytes()
    with pytest.raises(HarmoniaError, match="already exists"):
        model_files.write_model_file(model_file, {"version": "other"})
    assert model_file.read_bytes() == before


def test_a_tampered_model_is_refused(model_file: Path) -> None:
    cases = model_files.read_model_file(model_file)["cases"]
    cases["settings"]["spine"] = 0.0
    with pytest.raises(HarmoniaError, match=r"changed\.json was changed since"):
        load_linkage_model(_changed(model_file, cases=cases))


def test_a_model_of_another_format_is_refused(model_file: Path) -> None:
    with pytest.raises(HarmoniaError, match="format 3, this version of Harmonia reads format 2"):
        load_linkage_model(_changed(model_file, format=3))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "x"}', "\x00"])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "no-model.json"
    path.write_text(text, "utf-8")
    with pytest.raises(HarmoniaError, match=r"no-model\.json"):
        load_linkage_model(path)


def test_a_whole_file_that_lacks_a_setting_is_refused(tmp_path: Path, model_file: Path) -> None:
    content = model_files.read_model_file(model_file)
    del content["persons"]["settings"]["again"]
    short = tmp_path / "short.json"
    model_files.write_model_file(short, content)
    with pytest.raises(HarmoniaError, match="again"):
        load_linkage_model(short)


def test_the_environment_names_the_model(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARMONIA_MODEL", str(model_file.with_name("missing.json")))
    with pytest.raises(HarmoniaError, match=r"missing\.json cannot be read"):
        load_linkage_model()


def test_verify_says_what_a_model_was_trained_on(model_file: Path) -> None:
    found = CliRunner().invoke(app, ["link", "verify", str(model_file)])
    assert found.exit_code == 0, found.output
    assert ": valid," in found.output
    assert "from simulated; sets ['train-t9301'" in found.output
    refused = CliRunner().invoke(app, ["link", "verify", str(_changed(model_file, version="other"))])
    assert isinstance(refused.exception, HarmoniaError)


def test_a_run_with_a_broken_model_lands_nothing(tmp_path: Path, model_file: Path) -> None:
    (tmp_path / "inbox").mkdir()
    broken = shutil.copy(_changed(model_file, version="other"), tmp_path / "broken.json")
    found = CliRunner().invoke(app, ["run", "--inbox", str(tmp_path / "inbox"), "--home", str(tmp_path / "home"), "--model", str(broken)])
    assert isinstance(found.exception, HarmoniaError)
    assert not (tmp_path / "home").exists()
