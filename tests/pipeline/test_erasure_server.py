"""Registry and warehouse on a PostgreSQL server: an erased person is in no table of it either, and what cannot be erased is reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import published_world as published
import pytest
from acting_world import acting_as
from erasure_world import harmonia, of_most_institutions
from postgres_world import Server, running

from harmonia.operations.backup.verify import verify_home
from harmonia.operations.erasure import databases, search
from harmonia.operations.erasure.person import PersonToErase, find_person
from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.simulator import simulate

pytestmark = pytest.mark.slow  # whole runs


@dataclass(frozen=True)
class Erased:
    """What the tables of the server held of the person before, what the command said, the content of the warehouse before and after."""

    server: Server
    place: Workplace
    person: PersonToErase
    before: list[str]
    code: int
    said: str
    figures: tuple[str, str]


def warehouse(place: Workplace) -> str:
    return published.content_hash(published.of_server(str(place.warehouse_url)), {})


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erased]:
    root = tmp_path_factory.mktemp("erasure")
    made = simulate(root / "set", seed=11, start=2013, years=1, cases_per_year=8, noise="typical")
    with running(18) as server:
        registry = server.new_database("registry").replace("postgresql://", "postgresql+psycopg://")
        place = Workplace.from_paths(made.inbox, root / "home", registry, server.new_database("justice"))
        run_everything(place, SilentListener())
        person = find_person(place, of_most_institutions(place.home.root))
        before, figures = databases.find_tables_naming_person(place, person), warehouse(place)
        (number,) = sorted(person.numbers)[:1]
        acting_as(place.home.root, "officer@example.org")
        assert harmonia(place, "erase", "order", person.id, "--ground", f"request of {number}")[0] == 0
        acting_as(place.home.root, "engineer@example.org")
        code, said = harmonia(place, "erase", "execute", 1)
        yield Erased(server, place, person, before, code, said, (figures, warehouse(place)))


def test_the_search_finds_the_person_on_the_server_before(erased: Erased) -> None:
    assert any(name.startswith("warehouse, table identity.") for name in erased.before)


def test_no_table_of_the_warehouse_holds_the_person_and_no_figure_moved(erased: Erased) -> None:
    assert [name for name in databases.find_tables_naming_person(erased.place, erased.person) if name.startswith("warehouse")] == []
    assert erased.figures[0] == erased.figures[1]


def test_no_file_of_the_home_holds_the_person_and_all_can_be_verified(erased: Erased) -> None:
    assert search.find_files_naming_person(erased.place.home.root, erased.person) == []
    assert list(verify_home(erased.place)) == []
    assert not (erased.place.home.root / "registry.sqlite").exists()


def test_free_text_in_the_registry_that_names_the_person_is_reported(erased: Erased) -> None:
    assert erased.code == 1
    assert "still found in registry, table erasure_order" in erased.said


def test_what_the_server_no_longer_shows_goes_with_vacuum_full(erased: Erased) -> None:
    """As docs/reference/governance.md says: dead row versions and values kept for the server's planner lie in its files until then."""
    place = str(erased.place.warehouse_url)
    with psycopg.connect(place, autocommit=True) as connection:
        (folder,) = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone() or ("",)
        tables = connection.execute("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'identity'").fetchall()
        for (name,) in tables:
            connection.execute(f"VACUUM (FULL, ANALYZE) {name}".encode())
        connection.execute("VACUUM FULL pg_catalog.pg_statistic")
        connection.execute("CHECKPOINT")
    files = [path for path in (erased.server.folder / "data" / "base" / str(folder)).iterdir() if path.is_file()]
    numbers = [number.encode() for number in erased.person.numbers]
    assert [path.name for path in files if any(number in path.read_bytes() for number in numbers)] == []
