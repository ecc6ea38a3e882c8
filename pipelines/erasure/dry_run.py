"""Dry run of an erasure on a copy of the home: redacted files and rows, changed figures, remaining data.

Belongs here: the copy, comparing before and after. Does not belong here: changing the home folder (`execute`).
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

from pipelines.backup.create import copy_registry
from pipelines.backup.manifest import REGISTRY
from pipelines.erasure import link_constraints, orders, redaction, search
from pipelines.erasure.person import Person, find
from pipelines.erasure.redaction import RedactedReceipt
from pipelines.errors import HarmoniaError, storage
from pipelines.linkage import link
from pipelines.registry import Registry, open_registry, seal
from pipelines.resources import lake
from pipelines.resources.instance import URL
from pipelines.resources.workplace import Workplace
from pipelines.review.following import current_verdicts
from pipelines.swap import share
from warehouse.publish import remove_previous

_LINKED = ("landing", "lake", "releases")  # never modified in place: the copy uses hard links
_UNFINISHED = shutil.ignore_patterns(".*")  # including locks
_COPIED = ("*.key", "*.yaml", "*.sig", "*.pub")


Run: TypeAlias = Callable[[Workplace], object]
"""Runs all stages on a home."""


@dataclass(frozen=True)
class Plan:
    """changed: warehouse tables that would change; remaining: files that would still name the person; seal: of the ledger at the time."""

    person: Person
    redacted: tuple[RedactedReceipt, ...]
    constraints: pd.DataFrame
    changed: tuple[str, ...]
    remaining: tuple[str, ...]
    seal: tuple[int, str]

    @property
    def files(self) -> int:
        """How many landed files would be removed."""
        return len(frozenset[str]().union(*(one.removed for one in self.redacted)))


def dry_run(workplace: Workplace, person_id: str, run: Run) -> Plan:
    """Erase a person on a temporary copy. run: runs all stages. Raises `HarmoniaError` if nothing names the person."""
    with _copy(workplace) as place, _opened(place) as registry:
        with registry.read() as session:
            head = seal.head(session)
        run(place)
        before, linked = _figures(place), _partition(place)
        person = find(place, person_id)
        redacted = tuple(redaction.find(registry, place.home, person))
        if not redacted:
            raise HarmoniaError(f"no landed file names person {person_id}: the person was erased already")
        order = orders.order(registry, person.id, "trial", "trial")
        constraints = _constraints(place, order, redacted, linked, run)
        redaction.clean(place.home, person)
        redaction.record(registry, place.home, order, "trial", redacted, constraints)
        run(place)
        remove_previous(place.home.root)
        after = _figures(place)
        changed = tuple(name for name in before if not before[name].equals(after[name]))
        return Plan(person, redacted, constraints, changed, tuple(search.left(place.home.root, person)), head)


def _constraints(
    workplace: Workplace, order: int, redacted: tuple[RedactedReceipt, ...], linked: link_constraints.Partition, run: Run
) -> pd.DataFrame:
    """The link constraints that preserve all links, found on a second copy."""
    with _copy(workplace) as place, _opened(place) as registry:
        nothing = pd.DataFrame(columns=link_constraints.COLUMNS, dtype="str")
        redaction.record(registry, place.home, order, "trial", redacted, nothing)
        run(place)
        canonical = lake.read(place.home.lake / "canonical")
        judgements_in_force = current_verdicts(registry, lake.read(place.home.lake / "identities")["listed"])

        def relink(judgements: pd.DataFrame) -> link_constraints.Partition:
            found = link(canonical, judgements=judgements)
            return {"case": found.cases, "person": found.persons}

        return link_constraints.find_constraints(linked, relink, judgements_in_force)


@contextmanager
def _copy(workplace: Workplace) -> Iterator[Workplace]:
    """A temporary home beside the home, with the same landing, lake, registry and keys and an empty inbox.

    It has its own run history: in a shared one on a server it would close the runs of the real home as dead.
    """
    root = workplace.home.root
    history = os.environ.pop(URL, None)
    with storage(root.parent):
        folder = Path(tempfile.mkdtemp(prefix=f".{root.name}.trial.", dir=root.parent))
    try:
        place = Workplace.of(folder / "inbox", folder / "home")
        place.inbox.mkdir()
        place.home.create()
        with storage(folder):
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
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(workplace: Workplace) -> Iterator[Registry]:
    registry = open_registry(workplace.registry)
    try:
        yield registry
    finally:
        registry.close()


def _figures(workplace: Workplace) -> dict[str, pd.DataFrame]:
    """Every table of the warehouse, rows sorted."""
    with duckdb.connect(str(workplace.home.warehouse), read_only=True) as warehouse:
        names = [name for (name,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: warehouse.execute(f'FROM "{name}" ORDER BY ALL').df() for name in names}


def _partition(workplace: Workplace) -> link_constraints.Partition:
    """The partition of records into cases and persons, by their ids."""
    ids = lake.read(workplace.home.lake / "identities")
    return {one: ids[f"{one}s"].rename(columns={f"{one}_id": "cluster"}) for one in ("case", "person")}
