"""Find items of a home that were kept longer than `retention.yaml` allows, and remove them.

Does not belong here: erasing a person (`harmonia.operations.erasure`), files that every run rewrites.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import select

from harmonia.errors import storage
from harmonia.registry import open_registry
from harmonia.registry.ledger import deliveries, removed_hashes
from harmonia.registry.tables import File
from pipelines.resources.workplace import Workplace
from schemas.yaml_declarations import read_yaml
from sources import contract


@dataclass(frozen=True)
class Rule:
    """How long a store keeps its items, from when on this is counted, and who removes them."""

    store: str
    days: int | str | None
    counted_from: str
    removed_by: str


@dataclass(frozen=True)
class Expired:
    """The expired items of a store: their number, size in bytes, the paths to remove, the ids of Dagster runs to remove."""

    rule: Rule
    items: int = 0
    size: int = 0
    paths: tuple[Path, ...] = ()
    runs: tuple[str, ...] = field(default=(), repr=False)


@cache
def rules() -> Mapping[str, Rule]:
    """Read the retention rules: store → rule."""
    raw = read_yaml(Path(__file__).parent / "retention.yaml")
    return {name: Rule(name, entry["days"], entry["from"], entry["removed_by"]) for name, entry in raw.items()}


def find_expired(workplace: Workplace, today: date) -> list[Expired]:
    """Find the items that are expired on the day `today`, for every store whose items can expire."""
    finders: dict[str, Callable[[Workplace, Rule, date], Expired]] = {
        "landing": _expired_landed_files,
        "feedback": _expired_feedback,
        "logs": _expired_logs,
        "dagster": _expired_dagster_runs,
        "trials": _expired_trials,
    }
    return [find(workplace, rules()[name], today) for name, find in finders.items()]


def remove(workplace: Workplace, expired: list[Expired]) -> None:
    """Remove what `find_expired` found, of the stores with `removed_by: command`. Raises `HarmoniaError` if the system refuses."""
    for item in (item for item in expired if item.rule.removed_by == "command"):
        for path in item.paths:
            with storage(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if item.runs:
            _delete_runs(workplace, item.runs)


def _modified_on(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _expired_paths(rule: Rule, paths: Iterator[Path] | list[Path]) -> Expired:
    all_paths = tuple(sorted(paths))
    files = [file for path in all_paths for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file()]
    return Expired(rule, len(all_paths), sum(file.stat().st_size for file in files), all_paths)


def _cutoff(rule: Rule, today: date) -> date:
    return today - timedelta(days=int(rule.days or 0))


def _expired_landed_files(workplace: Workplace, rule: Rule, today: date) -> Expired:
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            erased = removed_hashes(session)
            files = [
                file
                for file in session.scalars(select(File))
                if file.sha256 not in erased and file.first_seen.date() < _cutoff(rule, today)
            ]
    finally:
        registry.close()
    return Expired(rule, len(files), sum(file.size for file in files))


def _expired_feedback(workplace: Workplace, rule: Rule, today: date) -> Expired:
    """Find the feedback files, except receipts, of deliveries that were received longer ago than the institution's contract allows."""
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            received = {(delivery.institution, delivery.name): delivery.receipts[-1].first_seen.date() for delivery in deliveries(session)}
    finally:
        registry.close()
    expired_folders = [
        workplace.home.feedback / institution / delivery
        for (institution, delivery), day in received.items()
        if day + timedelta(days=contract.load(institution).keep_days) < today
    ]
    return _expired_paths(
        rule, [path for folder in expired_folders for path in folder.rglob("*") if path.is_file() and not _is_permanent(path)]
    )


def _is_permanent(path: Path) -> bool:
    return path.name.startswith(("receipt", "."))


def _expired_logs(workplace: Workplace, rule: Rule, today: date) -> Expired:
    return _expired_paths(rule, [path for path in workplace.logs.glob("*") if path.is_file() and _modified_on(path) < _cutoff(rule, today)])


def _expired_trials(workplace: Workplace, rule: Rule, today: date) -> Expired:
    root = workplace.home.root
    return _expired_paths(rule, [path for path in root.parent.glob(f".{root.name}.trial.*") if _modified_on(path) <= _cutoff(rule, today)])


def _expired_dagster_runs(workplace: Workplace, rule: Rule, today: date) -> Expired:
    import dagster as dg

    from pipelines.resources.instance import install_dagster

    created_before = datetime.combine(_cutoff(rule, today), datetime.min.time(), UTC)
    with dg.DagsterInstance.from_config(str(install_dagster(workplace.home))) as instance:
        records = instance.get_run_records(dg.RunsFilter(created_before=created_before))
    return Expired(rule, len(records), runs=tuple(record.dagster_run.run_id for record in records))


def _delete_runs(workplace: Workplace, runs: tuple[str, ...]) -> None:
    import dagster as dg

    from pipelines.resources.instance import install_dagster

    with dg.DagsterInstance.from_config(str(install_dagster(workplace.home))) as instance:
        for run in runs:
            instance.delete_run(run)
