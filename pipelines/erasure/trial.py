"""What an erasure would do, tried on a copy of the home: which files and rows go, whether a figure would move, what would be left.

Belongs here: the copy, and comparing before with after. Does not belong here: changing the home (`carry`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import duckdb
import pandas as pd

from pipelines.backup.keep import copy_registry
from pipelines.backup.manifest import REGISTRY
from pipelines.erasure import entering, search, ties
from pipelines.erasure.entering import Emptied
from pipelines.erasure.orders import give
from pipelines.erasure.person import Person, find
from pipelines.errors import HarmoniaError, storage
from pipelines.linkage import link
from pipelines.registry import Registry, open_registry, seal
from pipelines.resources import lake
from pipelines.resources.instance import URL
from pipelines.resources.workplace import Workplace
from pipelines.review.following import standing
from pipelines.swap import share

_LINKED = ("landing", "lake", "releases")  # never written into in place: the copy shares their bytes
_UNFINISHED = shutil.ignore_patterns(".*")  # and locks
_COPIED = ("*.key", "*.yaml", "*.sig", "*.pub")


Run: TypeAlias = Callable[[Workplace], object]
"""Takes a home through all stages."""


@dataclass(frozen=True)
class Plan:
    """moved: tables of the warehouse that would change; left: files that would still name the person; seal: of the ledger tried on."""

    person: Person
    emptied: tuple[Emptied, ...]
    ties: pd.DataFrame
    moved: tuple[str, ...]
    left: tuple[str, ...]
    seal: tuple[int, str]

    @property
    def files(self) -> int:
        """How many landed files would go."""
        return len(frozenset[str]().union(*(one.gone for one in self.emptied)))


def try_out(workplace: Workplace, person_id: str, run: Run) -> Plan:
    """Erase a person on a copy that is gone afterwards. run: takes a home through all stages. Raises `HarmoniaError` where nothing names
    the person."""
    with _copy(workplace) as place, _opened(place) as registry:
        with registry.read() as session:
            head = seal.head(session)
        run(place)
        before, linked = _figures(place), _partition(place)
        person = find(place, person_id)
        emptied = tuple(entering.found(registry, place.home, person))
        if not emptied:
            raise HarmoniaError(f"no landed file names person {person_id}: the person was erased already")
        order = give(registry, person.id, "trial", "trial")
        held = _needed(place, order, emptied, linked, run)
        entering.clean(place.home, person)
        entering.enter(registry, place.home, order, "trial", emptied, held)
        run(place)
        entering.let_go(place.home)
        after = _figures(place)
        moved = tuple(name for name in before if not before[name].equals(after[name]))
        return Plan(person, emptied, held, moved, tuple(search.left(place.home.root, person)), head)


def _needed(workplace: Workplace, order: int, emptied: tuple[Emptied, ...], linked: ties.Partition, run: Run) -> pd.DataFrame:
    """The ties without which links would move, found on a further copy."""
    with _copy(workplace) as place, _opened(place) as registry:
        nothing = pd.DataFrame(columns=ties.COLUMNS, dtype="str")
        entering.enter(registry, place.home, order, "trial", emptied, nothing)
        run(place)
        canonical = lake.read(place.home.lake / "canonical")
        judged = standing(registry, lake.read(place.home.lake / "identities")["listed"])

        def again(judgements: pd.DataFrame) -> ties.Partition:
            found = link(canonical, judgements=judgements)
            return {"case": found.cases, "person": found.persons}

        return ties.holding(linked, again, judged)


@contextmanager
def _copy(workplace: Workplace) -> Iterator[Workplace]:
    """A home beside the home with the same landing, lake, registry and keys, over an empty inbox; gone at the end.

    Its runs are in no history but its own: a server's would close the house's runs for dead.
    """
    root = workplace.home.root
    history = os.environ.pop(URL, None)
    with storage(root.parent):
        made = Path(tempfile.mkdtemp(prefix=f".{root.name}.trial.", dir=root.parent))
    try:
        place = Workplace.of(made / "inbox", made / "home")
        place.inbox.mkdir()
        place.home.create()
        with storage(made):
            for name in _LINKED:
                shutil.copytree(root / name, place.home.root / name, copy_function=share, dirs_exist_ok=True, ignore=_UNFINISHED)
            for path in (path for pattern in _COPIED for path in root.glob(pattern)):
                shutil.copy2(path, place.home.root)
        with _opened(workplace) as registry:
            copy_registry(registry, place.home.root / REGISTRY)
        yield place
    finally:
        if history is not None:
            os.environ[URL] = history
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _opened(workplace: Workplace) -> Iterator[Registry]:
    registry = open_registry(workplace.registry)
    try:
        yield registry
    finally:
        registry.close()


def _figures(workplace: Workplace) -> dict[str, pd.DataFrame]:
    """Every table of the warehouse, rows in order."""
    with duckdb.connect(str(workplace.home.warehouse), read_only=True) as warehouse:
        names = [name for (name,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: warehouse.execute(f'FROM "{name}" ORDER BY ALL').df() for name in names}


def _partition(workplace: Workplace) -> ties.Partition:
    """Which records are one case or person, as they have their ids."""
    ids = lake.read(workplace.home.lake / "identities")
    return {one: ids[f"{one}s"].rename(columns={f"{one}_id": "cluster"}) for one in ("case", "person")}
