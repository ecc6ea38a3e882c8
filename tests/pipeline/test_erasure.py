"""An erased person is in no file of the home, and nothing else moved: figures, ids, releases, the proof of what was received."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import kill_points
import pandas as pd
import published_world as published
import pytest
from acting_world import acting_as
from erasure_world import harmonia, of_most_institutions
from release_world import signed

from harmonia.operations.backup.create import backup
from harmonia.operations.backup.restore import restore
from harmonia.operations.backup.verify import verify_home
from harmonia.operations.erasure import search
from harmonia.operations.erasure.person import PersonToErase, find_person
from harmonia.registry import open_registry
from harmonia.review.judgements import read_judgements
from pipelines.progress import SilentListener
from pipelines.resources import lake
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate

pytestmark = pytest.mark.slow  # whole runs


@dataclass(frozen=True)
class Erased:
    """A home in which a person was erased, and what there was before."""

    place: Workplace
    person: PersonToErase
    before: published.Tables
    named: list[str]  # files that named the person
    releases: dict[str, bytes]
    said: str


def releases(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in (home / "releases").rglob("*") if path.is_file()}


def hashes(place: Workplace) -> str:
    return published.content_hash(published.of_file(place.home.warehouse), {})


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Erased:
    root = tmp_path_factory.mktemp("erasure")
    made = simulate(root / "set", seed=11, start=2012, years=1, cases_per_year=30, noise="typical")
    place = Workplace.from_paths(made.inbox, root / "home")
    run_everything(place, SilentListener())
    signed(place.home.root)
    code, said = harmonia(place, "release", "create", "--as-of", "2013-03-31")
    assert code == 0, said
    chosen = of_most_institutions(place.home.root)
    person, before = find_person(place, chosen), published.of_file(place.home.warehouse)
    named = search.find_files_naming_person(place.home.root, person)
    (place.home.root / "logs").mkdir(exist_ok=True)
    (place.home.root / "logs" / "an-error.log").write_text(f"cannot parse {sorted(person.numbers)}")
    kept = releases(place.home.root)
    acting_as(place.home.root, "officer@example.org")
    assert harmonia(place, "erase", "order", chosen, "--ground", "decision 12/2014")[0] == 0
    code, said = harmonia(place, "erase", "execute", 1)
    assert (code, "a different user" in said) == (1, True)
    acting_as(place.home.root, "engineer@example.org")
    code, said = harmonia(place, "erase", "execute", 1)
    assert code == 0, said
    return Erased(place, person, before, named, kept, said)


def test_the_search_finds_the_person_in_every_kind_of_store_before(erased: Erased) -> None:
    kinds = {name.split("/")[0] for name in erased.named}
    assert {"landing", "lake", "identity.duckdb", "published"} <= kinds


def test_no_file_of_the_home_holds_the_person(erased: Erased) -> None:
    assert erased.person.numbers
    assert erased.person.names
    assert search.find_files_naming_person(erased.place.home.root, erased.person) == []
    assert not (erased.place.home.root / "logs" / "an-error.log").exists()


def test_every_figure_and_id_is_as_before(erased: Erased) -> None:
    after = published.of_file(erased.place.home.warehouse)
    moved = [
        name
        for name in erased.before
        if published.content_hash({name: erased.before[name]}, {}) != published.content_hash({name: after[name]}, {})
    ]
    assert moved == []


def test_an_anonymous_row_stays_that_is_of_the_same_age(erased: Erased) -> None:
    people = lake.read_tables(erased.place.home.lake / "canonical")["person_records"]
    mine = people[pd.MultiIndex.from_frame(people[["institution", "record_key"]]).isin(erased.person.records)]
    assert len(mine)
    assert mine[["given_name", "surname", "full_name", "parent_name", "name_tokens", "personal_number", "birthplace"]].isna().all(axis=None)
    assert mine["sex"].notna().any()


def test_releases_stay_byte_for_byte(erased: Erased) -> None:
    assert erased.releases
    assert releases(erased.place.home.root) == erased.releases


def test_what_was_received_can_still_be_verified(erased: Erased) -> None:
    assert list(verify_home(erased.place)) == []


def test_another_run_over_the_same_inbox_does_not_bring_the_person_back(erased: Erased) -> None:
    run_everything(erased.place, SilentListener())
    assert search.find_files_naming_person(erased.place.home.root, erased.person) == []
    assert hashes(erased.place) == published.content_hash(erased.before, {})


def test_a_backup_made_afterwards_gives_the_same_figures_on_an_empty_machine(erased: Erased, tmp_path: Path) -> None:
    backup(erased.place, tmp_path / "kept")
    assert search.find_files_naming_person(tmp_path / "kept", erased.person) == []
    place = Workplace.from_paths(erased.place.inbox, tmp_path / "restored")
    restore(tmp_path / "kept", place)
    run_everything(place, SilentListener())
    assert hashes(place) == published.content_hash(erased.before, {})
    assert search.find_files_naming_person(place.home.root, erased.person) == []


def test_an_erased_person_cannot_be_erased_again(erased: Erased) -> None:
    code, said = harmonia(erased.place, "erase", "show", erased.person.id)
    assert (code, "erased already" in said) == (1, True)


def test_ties_are_entered_in_the_name_of_the_erasure_alone(erased: Erased) -> None:
    registry = open_registry(erased.place.registry)
    assert set(read_judgements(registry)["steward"]) <= {"erasure 1"}
    registry.close()


def test_killed_after_the_ledger_was_written_the_next_runs_end_it(erased: Erased, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(erased.place.home.root, home)
    place = Workplace.from_paths(erased.place.inbox, home)
    chosen = of_most_institutions(home, but=erased.person.id)
    person = find_person(place, chosen)
    acting_as(home, "officer@example.org")
    assert harmonia(place, "erase", "order", chosen, "--ground", "decision 13/2014")[0] == 0
    acting_as(home, "engineer@example.org")
    program = Path(sys.executable).with_name("harmonia")
    words = [program, "erase", "execute", "2", "--home", home, "--inbox", place.inbox]
    killed = subprocess.run(words, env=kill_points.environment("erasure-entered:3"), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert any(name.startswith("landing") for name in search.find_files_naming_person(home, person))
    for _ in range(2):  # the publication before the current one is kept for readers until the next
        run_everything(place, SilentListener())
    assert search.find_files_naming_person(home, person) == []
    assert list(verify_home(place)) == []
    assert hashes(place) == published.content_hash(erased.before, {})


def test_a_person_delivered_again_is_reported_by_the_nightly_check(erased: Erased, tmp_path: Path) -> None:
    home, inbox = tmp_path / "home", tmp_path / "inbox"
    shutil.copytree(erased.place.home.root, home)
    shutil.copytree(erased.place.inbox, inbox)
    place = Workplace.from_paths(inbox, home)
    institution = next(name for name, _ in sorted(erased.person.records))
    newest = max((inbox / institution).iterdir(), key=lambda path: path.name)
    for quarter in sorted((inbox / institution).iterdir()):
        if quarter.name != newest.name and "_v" not in quarter.name:
            shutil.copytree(quarter, quarter.with_name(f"{quarter.name}_v9"))
    run_everything(place, SilentListener())
    problems = list(verify_home(place))
    assert problems
    assert all("erasure" in line for line in problems)
