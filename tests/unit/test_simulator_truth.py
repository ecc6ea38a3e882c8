"""The simulator's truth: what is written reads back to what the truth says, and its counting rules are those of the samples."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from plain_reading import read_accepted, rows

from sources.simulator import simulate
from sources.simulator.happened import Event, collect_known_persons, find_age_group
from sources.simulator.periods import list_quarters
from sources.simulator.reported import list_reported_events
from sources.simulator.tally import DIMENSIONS, build_statistics_rows

Figures = dict[tuple[str, ...], tuple[str, str]]
NAMES = ("indicator", "period", *DIMENSIONS)


@pytest.fixture(scope="module", params=["clean", "typical", "hard"])
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    simulate(folder / "set", seed=7, start=2012, years=2, cases_per_year=40, noise=request.param)
    return folder / "set"


def _figures(folder: Path) -> Figures:
    return {tuple(row[name] for name in NAMES): (row["as_reported"], row["harmonised"]) for row in rows(folder / "truth/statistics.csv")}


def _counted(left: list[Event], right: list[Event], start: int, years: int = 2) -> Figures:
    lines = build_statistics_rows(left, right, list_quarters(start, years), set())
    return {tuple(map(str, line[:7])): (str(line[7]), str(line[8])) for line in lines}


def _differences(true: Figures, counted: Figures, column: int) -> dict[tuple[str, ...], tuple[str, str]]:
    """Figures that differ; the truth's empty ones (no delivery at all) left out, absent rows are 0."""
    pairs = {key: (value[column], counted.get(key, ("0", "0"))[column]) for key, value in true.items()}
    return {key: pair for key, pair in pairs.items() if pair[0] not in ("", pair[1])}


def test_every_accepted_record_is_in_the_files(simulated: Path) -> None:
    assert read_accepted(simulated)[1] == set()


def test_as_reported_is_what_the_files_say(simulated: Path) -> None:
    accepted_records, _ = read_accepted(simulated)
    true = _figures(simulated)
    assert len(true) > 3000
    assert _differences(true, _counted(list_reported_events(accepted_records), [], 2012), 0) == {}


def _attributes(folder: Path, accepted_records) -> dict[str, object]:  # type: ignore[no-untyped-def]
    """What is known of each person, from the accepted records and the true persons."""
    persons = {row["person_id"]: row for row in rows(folder / "truth/persons.csv")}
    for state in accepted_records.accepted.values():
        if state.person is not None:
            row, person = persons[state.person.person.person_id], state.person.person
            person.sex, person.citizenship, person.born = row["sex"], row["citizenship"], date.fromisoformat(row["date_of_birth"])
    return dict(collect_known_persons(accepted_records))


def _true_events(folder: Path, accepted_records) -> list[Event]:  # type: ignore[no-untyped-def]
    known = _attributes(folder, accepted_records)
    found = []
    for row in rows(folder / "truth/events.csv"):
        day, about = date.fromisoformat(row["date"]), known.get(row["person_id"])
        event = (row["indicator"], row["case_id"], row["person_id"], day, row["offence_group"], row["form"])
        if row["person_id"]:
            assert about is not None, "an event of a person whom no accepted record holds"
            found.append(Event(*event, about.sex, find_age_group(about.born, day), about.citizenship_group))  # type: ignore[attr-defined]
        else:
            found.append(Event(*event))
    return found


def test_harmonised_figures_follow_from_the_events(simulated: Path) -> None:
    accepted_records, _ = read_accepted(simulated)
    counted = _counted([], _true_events(simulated, accepted_records), 2012)
    assert _differences(_figures(simulated), counted, 1) == {}


@pytest.mark.parametrize(("sample", "start"), [("sample-2012", 2012), ("sample-2018", 2018)])
def test_the_counting_rules_are_those_of_the_samples(shared: Path, sample: str, start: int) -> None:
    """Every row of both samples' statistics, both numbers."""
    folder = shared / "deliveries" / sample
    accepted_records, missing = read_accepted(folder)
    assert missing == set()
    true = _figures(folder)
    counted = _counted(list_reported_events(accepted_records), _true_events(folder, accepted_records), start)
    assert _differences(true, counted, 0) == {}
    assert _differences(true, counted, 1) == {}


def test_the_truth_has_the_files_and_columns_of_the_samples(shared: Path, simulated: Path) -> None:
    sample = shared / "deliveries/sample-2012/truth"
    assert {path.name for path in sample.iterdir()} == {path.name for path in (simulated / "truth").iterdir()}
    for path in sample.glob("*.csv"):
        assert path.read_text(encoding="utf-8").splitlines()[0] == (simulated / "truth" / path.name).read_text("utf-8").splitlines()[0]


def test_in_a_clean_set_single_files_are_counted_alike(tmp_path: Path) -> None:
    """Where each institution has one file on a case, its own row and the harmonised event agree on day and offence."""
    simulate(tmp_path / "set", seed=3, cases_per_year=60, noise="clean")
    accepted_records, _ = read_accepted(tmp_path / "set")
    cases = rows(tmp_path / "set/truth/cases.csv")
    files: dict[tuple[str, str], int] = {}
    for row in cases:
        files[row["institution"], row["case_id"]] = files.get((row["institution"], row["case_id"]), 0) + 1
    single = {"cases_registered": "police", "cases_received_prosecution": "prosecution", "cases_received_court": "courts"}
    events = {(row["indicator"], row["case_id"]): row for row in rows(tmp_path / "set/truth/events.csv") if not row["person_id"]}
    compared = 0
    for event in list_reported_events(accepted_records):
        institution = single.get(event.indicator)
        if institution and files[institution, event.case_id] == 1 if (institution, event.case_id) in files else False:
            row = events[event.indicator, event.case_id]
            assert (row["date"], row["offence_group"]) == (event.day.isoformat(), event.group)
            compared += 1
    assert compared > 150
