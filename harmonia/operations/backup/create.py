"""Create a backup. This is possible during a run.

Belongs here: what is copied, in an order that makes the copy consistent. Does not belong here: restoring (`restore`).

The registry is copied first, as it is at one moment (with SQLite's online backup, or in one repeatable-read transaction on a server).
Then the landed files that it names are copied. All of them exist, since a file is stored before the receipt that names it, and is never
changed. Releases and keys are never changed either.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Connection, create_engine, insert, select
from sqlalchemy.orm import Session

from harmonia.atomic_files import sync_to_disk
from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.operations.backup.manifest import REGISTRY, Manifest, digest_file
from harmonia.registry import Registry, open_registry, seal
from harmonia.registry.ledger import read_removed_hashes
from harmonia.registry.tables import Base, File
from pipelines.landing.store import LandingStore
from pipelines.resources.workplace import Workplace
from warehouse import stores

_PORTAL = tuple(f"portal/{name}" for name in ("findings", "health", "received", "releases", "uploads"))
REBUILT = ("lake", "published", "feedback", "logs", "dagster/history", "dagster/schedules", *_PORTAL)
"""The folders of a home that are not copied: those that a run or the portal rebuilds, and Dagster's history. All other files are copied."""
ACCOUNTS = "portal.sqlite3"
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


def backup(workplace: Workplace, target: Path) -> Manifest:
    """Copy everything that cannot be rebuilt to the new folder `target`, and return the manifest.

    `target` appears only when it is complete. Raises `HarmoniaError` if there is nothing to copy, if `target` exists or cannot be
    written, or if a landed file is damaged.
    """
    home = workplace.home
    if workplace.registry_url is None and not (home.root / REGISTRY).is_file():
        raise HarmoniaError(f"home {home.root} has no {REGISTRY}: name the home with --home, or the registry in use with --registry-url")
    if target.exists():
        raise HarmoniaError(f"{target} already exists: name a new folder; a backup never changes an older one")
    if target.resolve().is_relative_to(home.root.resolve()):
        raise HarmoniaError(f"{target} is inside the home: name a folder on another disk")
    partial = target.with_name(f".{target.name}.part")
    with convert_storage_errors(target):
        shutil.rmtree(partial, ignore_errors=True)  # leftover of a killed backup
        partial.mkdir(parents=True, mode=_PRIVATE_FOLDER)
    try:
        manifest = _copy_home_to_backup(workplace, partial)
        with convert_storage_errors(target):
            partial.rename(target)
            sync_to_disk(target.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _copy_home_to_backup(workplace: Workplace, partial: Path) -> Manifest:
    registry = open_registry(workplace.registry)
    try:
        copy_registry(registry, partial / REGISTRY)
    finally:
        registry.close()
    copy = create_engine(f"sqlite:///{partial / REGISTRY}")
    with Session(copy) as session:
        manifest = Manifest(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", version("harmonia"), seal.read_newest_seal(session))
        hashes = sorted(set(session.scalars(select(File.sha256))) - read_removed_hashes(session))
    copy.dispose()
    manifest.files[REGISTRY] = _sync_and_digest_file(partial / REGISTRY)
    home, landing = workplace.home, LandingStore(workplace.home.landing)
    for sha256 in hashes:
        _copy_file_to_backup(landing.get_path(sha256), partial, f"landing/{sha256[:2]}/{sha256}", manifest)
        if manifest.files[f"landing/{sha256[:2]}/{sha256}"][1] != sha256:
            raise HarmoniaError(f"{landing.get_path(sha256)}: was changed since it was received; `harmonia verify` names the delivery")
    for path in _find_other_files_to_back_up(home.root):
        _copy_file_to_backup(path, partial, str(path.relative_to(home.root)), manifest)
    key_path = os.environ.get(stores.KEY_VARIABLE)
    if key_path:
        key = Path(key_path).expanduser()
        if not key.is_file():
            raise HarmoniaError(
                f"{key}: the pseudonym key named by {stores.KEY_VARIABLE} is missing; a backup without it would lead to other pseudonyms"
            )
        _copy_file_to_backup(key, partial, stores.KEY_FILE, manifest)
    for folder in (path for path in partial.rglob("*") if path.is_dir()):
        folder.chmod(_PRIVATE_FOLDER)
    manifest.write(partial)
    return manifest


def _find_other_files_to_back_up(root: Path) -> Iterator[Path]:
    """Yield the other files to copy, such as releases, keys and settings.

    Left out are the registry, the landing store, everything in `REBUILT`, and files that killed runs left behind.
    """
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        is_rebuilt = any(name.is_relative_to(folder) for folder in (*REBUILT, "landing")) or name.suffix == ".duckdb"
        is_unfinished = any(part.startswith(".") for part in name.parts) or name.name.startswith(REGISTRY)
        if is_rebuilt or is_unfinished or name.name in (f"{ACCOUNTS}-wal", f"{ACCOUNTS}-shm"):
            continue
        if path.is_symlink() and not path.is_file():
            raise HarmoniaError(
                f"{path}: a link to a folder or to nothing, which a backup does not follow: replace it by the folder (or a mount)"
            )
        if path.is_file():
            yield path


def _copy_file_to_backup(source: Path, partial: Path, path_in_backup: str, manifest: Manifest) -> None:
    """Copy a file to the backup, wait until it is on disk, and add size and hash of the copy to the manifest."""
    target = partial / path_in_backup
    with convert_storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)  # inside the private folder
    try:
        if source.name == ACCOUNTS:
            _copy_sqlite_database(source, target)
        else:
            shutil.copyfile(source, target)
    except FileNotFoundError:
        raise HarmoniaError(f"{source}: is in the ledger but missing; `harmonia verify` names the delivery") from None
    except OSError as error:
        raise HarmoniaError(f"{source}: cannot be copied to {target} ({error.strerror}): make room or give permission") from error
    manifest.files[path_in_backup] = _sync_and_digest_file(target)


def _sync_and_digest_file(path: Path) -> tuple[int, str]:
    with convert_storage_errors(path):
        path.chmod(_PRIVATE_FILE)
        sync_to_disk(path)
        return digest_file(path)


def _copy_sqlite_database(source: Path, target: Path) -> None:
    """Copy an SQLite database to one file without a write-ahead log. The database may be in use; the copy is its state at one moment."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")


def copy_registry(registry: Registry, target: Path) -> None:
    """Copy the registry, which may be SQLite or PostgreSQL, to an SQLite file. The copy is the state of the registry at one moment."""
    if registry.engine.dialect.name == "sqlite":
        with convert_storage_errors(target):
            _copy_sqlite_database(Path(str(registry.engine.url.database)), target)
        return
    open_registry(f"sqlite:///{target}").close()  # create it with its tables
    with registry.engine.connect().execution_options(isolation_level="REPEATABLE READ") as source_:
        copy_registry_rows(source_, f"sqlite:///{target}")


def copy_registry_rows(source: Connection, url: str) -> None:
    """Copy all rows of a registry, read in one transaction, into the empty registry at `url`, whose tables exist."""
    engine = create_engine(url, hide_parameters=True)
    with engine.begin() as target:
        for table in Base.metadata.sorted_tables:
            rows = source.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            while batch := rows.fetchmany(10_000):
                target.execute(insert(table), [dict(row) for row in batch])
    engine.dispose()
