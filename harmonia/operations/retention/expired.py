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

from harmonia.errors import convert_storage_errors
from harmonia.registry import open_registry
from harmonia.registry.ledger import read_deliveries, read_removed_hashes
from harmonia.registry.tables import File
from pipelines.resources.workplace import Workplace
from schemas.yaml_declarations import read_yaml
from sources import contract


@dataclass(frozen=True)
class RetentionRule:
    """The retention rule of a store.

    days: how long its items are kept. counted_from: the event from which this time is counted. removed_by: who or what removes expired
    items.
    """

    store: str
    days: int | str | None
    counted_from: str
    removed_by: str


@dataclass(frozen=True)
class ExpiredItems:
    """The expired items of a store: their number, their size in bytes, the paths to remove, and the ids of the Dagster runs to remove."""

    rule: RetentionRule
    items: int = 0
    size: int = 0
    paths: tuple[Path, ...] = ()
    runs: tuple[str, ...] = field(default=(), repr=False)


@cache
def read_retention_rules() -> Mapping[str, RetentionRule]:
    """Read the retention rules. The result maps the name of a store to its rule."""
    raw = read_yaml(Path(__file__).parent / "retention.yaml")
    return {name: RetentionRule(name, entry["days"], entry["from"], entry["removed_by"]) for name, entry in raw.items()}


def find_expired_items(workplace: Workplace, today: date) -> list[ExpiredItems]:
    """Find the items that are expired on the day `today`, for every store whose items can expire."""
    finders: dict[str, Callable[[Workplace, RetentionRule, date], ExpiredItems]] = {
        "landing": _find_expired_landed_files,
        "feedback": _find_expired_feedback,
        "logs": _find_expired_logs,
        "dagster": _find_expired_dagster_runs,
        "trials": _find_expired_erasure_trials,
    }
    return [find(workplace, read_retention_rules()[name], today) for name, find in finders.items()]


def remove_expired_items(workplace: Workplace, expired_items: list[ExpiredItems]) -> None:
    """Remove the items that `find_expired_items` found in stores with `removed_by: command`.

    Raises `HarmoniaError` if the operating system does not allow it.
    """
    for item in (item for item in expired_items if item.rule.removed_by == "command"):
        for path in item.paths:
            with convert_storage_errors(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if item.runs:
            _delete_dagster_runs(workplace, item.runs)


def _find_day_of_last_change(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _select_expired_paths(rule: RetentionRule, paths: Iterator[Path] | list[Path]) -> ExpiredItems:
    """Make the expired items of a store from their paths, with their number and size."""
    all_paths = tuple(sorted(paths))
    files = [file for path in all_paths for file in (path.rglob("*") if path.is_dir() else (path,)) if file.is_file()]
    return ExpiredItems(rule, len(all_paths), sum(file.stat().st_size for file in files), all_paths)


def _compute_oldest_kept_day(rule: RetentionRule, today: date) -> date:
    return today - timedelta(days=int(rule.days or 0))


def _find_expired_landed_files(workplace: Workplace, rule: RetentionRule, today: date) -> ExpiredItems:
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            erased = read_removed_hashes(session)
            files = [
                file
                for file in session.scalars(select(File))
                if file.sha256 not in erased and file.first_seen.date() < _compute_oldest_kept_day(rule, today)
            ]
    finally:
        registry.close()
    return ExpiredItems(rule, len(files), sum(file.size for file in files))


def _find_expired_feedback(workplace: Workplace, rule: RetentionRule, today: date) -> ExpiredItems:
    """Find the feedback files of deliveries that were received longer ago than the institution's contract allows.

    Receipts never expire.
    """
    registry = open_registry(workplace.registry)
    try:
        with registry.read() as session:
            received = {
                (delivery.institution, delivery.name): delivery.receipts[-1].first_seen.date() for delivery in read_deliveries(session)
            }
    finally:
        registry.close()
    expired_folders = [
        workplace.home.feedback / institution / delivery
        for (institution, delivery), day in received.items()
        if day + timedelta(days=contract.load(institution).keep_days) < today
    ]
    return _select_expired_paths(
        rule, [path for folder in expired_folders for path in folder.rglob("*") if path.is_file() and not _is_never_expired(path)]
    )


def _is_never_expired(path: Path) -> bool:
    return path.name.startswith(("receipt", "."))


def _find_expired_logs(workplace: Workplace, rule: RetentionRule, today: date) -> ExpiredItems:
    return _select_expired_paths(
        rule,
        [
            path
            for path in workplace.logs.glob("*")
            if path.is_file() and _find_day_of_last_change(path) < _compute_oldest_kept_day(rule, today)
        ],
    )


def _find_expired_erasure_trials(workplace: Workplace, rule: RetentionRule, today: date) -> ExpiredItems:
    root = workplace.home.root
    return _select_expired_paths(
        rule,
        [
            path
            for path in root.parent.glob(f".{root.name}.trial.*")
            if _find_day_of_last_change(path) <= _compute_oldest_kept_day(rule, today)
        ],
    )


def _find_expired_dagster_runs(workplace: Workplace, rule: RetentionRule, today: date) -> ExpiredItems:
    import dagster as dg

    from pipelines.resources.instance import install_dagster_settings

    created_before = datetime.combine(_compute_oldest_kept_day(rule, today), datetime.min.time(), UTC)
    with dg.DagsterInstance.from_config(str(install_dagster_settings(workplace.home))) as instance:
        records = instance.get_run_records(dg.RunsFilter(created_before=created_before))
    return ExpiredItems(rule, len(records), runs=tuple(record.dagster_run.run_id for record in records))


def _delete_dagster_runs(workplace: Workplace, runs: tuple[str, ...]) -> None:
    import dagster as dg

    from pipelines.resources.instance import install_dagster_settings

    with dg.DagsterInstance.from_config(str(install_dagster_settings(workplace.home))) as instance:
        for run in runs:
            instance.delete_run(run)
