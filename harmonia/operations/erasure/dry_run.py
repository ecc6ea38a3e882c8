"""Try an erasure on a copy of the home, to see which files and rows are redacted, which figures change, and what still names the person.

Belongs here: making the copy, comparing before and after. Does not belong here: changing the home itself (`execute`).
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

from harmonia.atomic_files import link_or_copy_file
from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.operations.backup.create import copy_registry
from harmonia.operations.backup.manifest import REGISTRY
from harmonia.operations.erasure import link_constraints, orders, redaction, search
from harmonia.operations.erasure.person import PersonToErase, find_person
from harmonia.operations.erasure.redaction import RedactedReceipt
from harmonia.registry import Registry, open_registry, seal
from harmonia.review.following import read_current_verdicts
from pipelines.linkage import link_records
from pipelines.resources import lake
from pipelines.resources.instance import URL_SETTING
from pipelines.resources.workplace import Workplace
from warehouse.publish import remove_previous_publications

_HARD_LINKED = ("landing", "lake", "releases")  # never modified in place: the copy uses hard links
_IGNORE_HIDDEN = shutil.ignore_patterns(".*")  # including locks
_COPIED_PATTERNS = ("*.key", "*.yaml", "*.sig", "*.pub")


Run: TypeAlias = Callable[[Workplace], object]
"""A function that runs all stages of the pipeline on a workplace."""


@dataclass(frozen=True)
class ErasurePlan:
    """What an erasure would do.

    `redacted` are the receipts whose files would be replaced. `constraints` are the pairs of records that keep all links as they are.
    `changed_tables` names the tables of the warehouse that would change. `remaining` names the files that would still name the person.
    `seal` is the registry's newest seal at the time of the dry run.
    """

    person: PersonToErase
    redacted: tuple[RedactedReceipt, ...]
    constraints: pd.DataFrame
    changed_tables: tuple[str, ...]
    remaining: tuple[str, ...]
    seal: tuple[int, str]

    @property
    def files(self) -> int:
        """Number of landed files that would be removed."""
        return len(frozenset[str]().union(*(receipt.removed for receipt in self.redacted)))


def try_erasure_on_copy(workplace: Workplace, person_id: str, run_pipeline: Run) -> ErasurePlan:
    """Erase a person in a temporary copy of the home, and report what would change.

    `run_pipeline` is the function that runs all stages on a workplace. Raises `HarmoniaError` if no delivered file names the person.
    """
    with _copy_home_temporarily(workplace) as copy, _open_registry(copy) as registry:
        with registry.read() as session:
            seal_before = seal.read_newest_seal(session)
        run_pipeline(copy)
        figures_before, partition = _read_figures(copy), _read_current_clusters(copy)
        person = find_person(copy, person_id)
        redacted = tuple(redaction.find_receipts(registry, copy.home, person))
        if not redacted:
            raise HarmoniaError(f"no landed file names person {person_id}: the person was erased already")
        order = orders.place_order(registry, person.id, "trial", "trial")
        constraints = _find_link_constraints(copy, order, redacted, partition, run_pipeline)
        redaction.delete_copies(copy.home, person)
        redaction.record_redactions(registry, copy.home, order, "trial", redacted, constraints)
        run_pipeline(copy)
        remove_previous_publications(copy.home.root)
        figures_after = _read_figures(copy)
        changed_tables = tuple(name for name in figures_before if not figures_before[name].equals(figures_after[name]))
        return ErasurePlan(
            person, redacted, constraints, changed_tables, tuple(search.find_files_naming_person(copy.home.root, person)), seal_before
        )


def _find_link_constraints(
    workplace: Workplace, order: int, redacted: tuple[RedactedReceipt, ...], partition: link_constraints.Partition, run_pipeline: Run
) -> pd.DataFrame:
    """Find the link constraints with which all links between records stay as they are. For this, a second copy of the home is made."""
    with _copy_home_temporarily(workplace) as copy, _open_registry(copy) as registry:
        no_constraints = pd.DataFrame(columns=link_constraints.COLUMNS, dtype="str")
        redaction.record_redactions(registry, copy.home, order, "trial", redacted, no_constraints)
        run_pipeline(copy)
        canonical = lake.read_tables(copy.home.lake / "canonical")
        judgements_in_force = read_current_verdicts(registry, lake.read_tables(copy.home.lake / "identities")["listed"])

        def link_records_again(judgements: pd.DataFrame) -> link_constraints.Partition:
            result = link_records(canonical, judgements=judgements)
            return {"case": result.cases, "person": result.persons}

        return link_constraints.find_link_constraints(partition, link_records_again, judgements_in_force)


@contextmanager
def _copy_home_temporarily(workplace: Workplace) -> Iterator[Workplace]:
    """Make a temporary copy of the home, with the same landing store, lake, registry and keys, and an empty inbox.

    The copy has its own history of Dagster runs. If it shared the history on a server, it would close the runs of the real home as dead.
    """
    root = workplace.home.root
    dagster_url = os.environ.pop(URL_SETTING, None)
    with convert_storage_errors(root.parent):
        folder = Path(tempfile.mkdtemp(prefix=f".{root.name}.trial.", dir=root.parent))
    try:
        copy = Workplace.from_paths(folder / "inbox", folder / "home")
        copy.inbox.mkdir()
        copy.home.create()
        with convert_storage_errors(folder):
            for name in _HARD_LINKED:
                shutil.copytree(
                    root / name, copy.home.root / name, copy_function=link_or_copy_file, dirs_exist_ok=True, ignore=_IGNORE_HIDDEN
                )
            for path in (path for pattern in _COPIED_PATTERNS for path in root.glob(pattern)):
                shutil.copy2(path, copy.home.root)
        with _open_registry(workplace) as registry:
            copy_registry(registry, copy.home.root / REGISTRY)
        yield copy
    finally:
        if dagster_url is not None:
            os.environ[URL_SETTING] = dagster_url
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _open_registry(workplace: Workplace) -> Iterator[Registry]:
    registry = open_registry(workplace.registry)
    try:
        yield registry
    finally:
        registry.close()


def _read_figures(workplace: Workplace) -> dict[str, pd.DataFrame]:
    """Read every table of the warehouse, with sorted rows."""
    with duckdb.connect(str(workplace.home.warehouse), read_only=True) as warehouse:
        names = [name for (name,) in warehouse.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: warehouse.execute(f'FROM "{name}" ORDER BY ALL').df() for name in names}


def _read_current_clusters(workplace: Workplace) -> link_constraints.Partition:
    """Read the cluster of each record: records with the same id are one case or person."""
    ids = lake.read_tables(workplace.home.lake / "identities")
    return {entity: ids[f"{entity}s"].rename(columns={f"{entity}_id": "cluster"}) for entity in ("case", "person")}
