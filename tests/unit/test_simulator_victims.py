"""Simulated deliveries of the institutions for victims: form, defects, and a truth that a plain reading of the files confirms."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from plain_reading import rows

from sources.simulator import simulate
from tests.oracle import victims as plainly

DIMENSIONS = ("offence_group", "form", "sex", "age_group", "citizenship_group")
VICTIMS = ("victim_protection", "social_work")


@pytest.fixture(scope="module", params=["clean", "typical", "hard"])
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "set"
    simulate(folder, seed=8, start=2012, years=2, cases_per_year=60, noise=request.param, victims=True)
    return folder


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_others_deliver_the_same_bytes_with_and_without_them(tmp_path: Path) -> None:
    for name, victims in (("five", False), ("seven", True), ("again", True)):
        simulate(tmp_path / name, seed=9, years=1, cases_per_year=25, noise="typical", victims=victims)
    five, seven = _hashes(tmp_path / "five/inbox"), _hashes(tmp_path / "seven/inbox")
    assert {name for name in seven if name not in five} == {name for name in seven if name.startswith(VICTIMS)}
    assert {name: seven[name] for name in five} == five
    assert _hashes(tmp_path / "seven") == _hashes(tmp_path / "again")


def test_a_clean_set_has_every_month_and_quarter_in_the_agreed_form(tmp_path: Path) -> None:
    simulate(tmp_path / "set", seed=5, start=2018, years=1, cases_per_year=60, noise="clean", victims=True)
    inbox = tmp_path / "set/inbox"
    assert sorted(path.name for path in (inbox / "victim_protection").iterdir()) == [f"2018-Q{quarter}" for quarter in range(1, 5)]
    assert sorted(path.name for path in (inbox / "social_work").iterdir()) == [f"2018-{month:02d}" for month in range(1, 13)]
    document = json.loads((inbox / "victim_protection/2018-Q2/zmnv.json").read_bytes())
    assert set(document["eksporti"]) == {"institucioni", "periudha", "krijuar", "skema"}
    assert all(one["hapur_me"].endswith(("T22:00:00Z", "T23:00:00Z")) for one in document["viktimat"])
    data = (inbox / "social_work/2018-05/sherbimet.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfNr_QPS,Nr_rendor,Lloji") and data.endswith(b"\r\n")
    assert {row["kind"] for row in rows(tmp_path / "set/truth/defects.csv")} == set()


def test_as_reported_is_what_a_plain_reading_of_the_files_counts(simulated: Path) -> None:
    found, counted = plainly.figures(simulated / "inbox"), 0
    for row in rows(simulated / "truth/statistics.csv"):
        if row["indicator"] in ("victims_referred", "victims_assisted", "victims_sheltered", "victims_represented") and row["as_reported"]:
            shape = tuple(row[name] != "total" for name in DIMENSIONS)
            cell = (row["indicator"], row["period"], *(row[name] for name in DIMENSIONS))
            assert plainly.summed(found, shape)[cell] == int(row["as_reported"]), cell  # type: ignore[index]
            counted += 1
    assert counted > 1500


def test_the_accepted_files_are_those_of_a_plain_reading(simulated: Path) -> None:
    accepted = [row for row in rows(simulated / "truth/records.csv") if row["expected_status"] == "accepted" and row["entity"] == "person"]
    inbox = simulated / "inbox"
    read = plainly.accepted(inbox / "victim_protection", lambda path: plainly.read_json(path / "zmnv.json"))
    assert {row["record_key"] for row in accepted if row["institution"] == "victim_protection"} == set(read)
    read = plainly.accepted(inbox / "social_work", plainly.whole_csv("persona.csv"))
    assert {row["record_key"] for row in accepted if row["institution"] == "social_work"} == set(read)
    assert all(row["case_id"] and row["person_id"] for row in accepted)


def test_the_truth_tells_of_persons_matters_and_steps(simulated: Path) -> None:
    cases = rows(simulated / "truth/cases.csv")
    of_police = {row["case_id"] for row in cases if row["institution"] == "police"}
    of_victims = {row["case_id"] for row in cases if row["institution"] in VICTIMS}
    assert of_victims & of_police and of_victims - of_police  # known to the police, and not
    steps = {(row["step"], row["outcome"]) for row in rows(simulated / "truth/reconciliation.csv")}
    for step in ("police_victim_protection", "victim_protection_social_work"):
        assert {outcome for name, outcome in steps if name == step} == {"matched", "missing_downstream", "missing_upstream"}
    persons = {row["person_id"] for row in rows(simulated / "truth/persons.csv")}
    assert {row["person_id"] for row in rows(simulated / "truth/events.csv") if row["person_id"]} <= persons


@pytest.mark.slow
def test_every_kind_of_defect_of_the_samples_occurs(shared: Path, tmp_path: Path) -> None:
    found: set[str] = set()
    for noise, seed in (("typical", 5), ("hard", 6), ("hard", 7)):
        simulate(tmp_path / str(seed), seed=seed, years=2, cases_per_year=150, noise=noise, victims=True)  # type: ignore[arg-type]
        found |= {row["kind"] for row in rows(tmp_path / str(seed) / "truth/defects.csv") if row["institution"] in VICTIMS}
    wanted: set[str] = set()
    for sample in ("victims-2012", "victims-2018"):
        wanted |= set(json.loads((shared / "deliveries" / sample / "truth/defect_counts.json").read_text("utf-8")))
    assert wanted - found == set()
