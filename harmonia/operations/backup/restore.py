"""Restore a backup to an empty home.

Belongs here: verifying a backup and copying it to an empty home, atomically. Does not belong here: rebuilding lake and warehouse, which
the next `harmonia run` does.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import DBAPIError

from harmonia.atomic_files import sync_to_disk
from harmonia.errors import HarmoniaError, convert_storage_errors
from harmonia.operations.backup.create import copy_registry_rows
from harmonia.operations.backup.manifest import REGISTRY, Manifest, find_damaged_files
from harmonia.registry import open_registry
from harmonia.registry.tables import Base, Run
from pipelines.resources.workplace import Workplace


def restore(backup: Path, workplace: Workplace) -> Manifest:
    """Restore a backup to the home of `workplace`, and return the manifest.

    If the workplace has a `registry_url`, the registry is restored to that database. Raises `HarmoniaError` if the backup is damaged, or
    if the home or the database is not empty.
    """
    manifest, root = Manifest.read(backup), workplace.home.root
    damage = list(find_damaged_files(backup, manifest))
    if damage:
        raise HarmoniaError(f"{backup}: damaged ({len(damage)}: {'; '.join(damage[:3])}): restore from another one; nothing was written")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise HarmoniaError(f"home {root} is not empty: name an empty or new folder with --home; a backup is never restored over a home")
    partial = root.with_name(f".{root.name}.part")
    with convert_storage_errors(root):
        shutil.rmtree(partial, ignore_errors=True)  # leftover of a killed restore
        partial.mkdir(parents=True, mode=0o700)  # private before any file is in it
    try:
        for name in manifest.files:
            _copy_file(backup / name, partial / name, 0o400 if name.startswith("landing/") else 0o600)
        damage = list(find_damaged_files(partial, manifest))
        if damage:
            raise HarmoniaError(f"{root}: the disk returns other bytes than were written ({damage[0]}): check the disk, then restore again")
        if workplace.registry_url:
            _move_registry_to_server(partial / REGISTRY, workplace.registry_url)
        with convert_storage_errors(root):
            if root.exists():
                root.rmdir()
            partial.rename(root)
            sync_to_disk(root.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    workplace.home.create()
    return manifest


def _copy_file(source: Path, target: Path, mode: int) -> None:
    with convert_storage_errors(target):
        for folder in [f for f in reversed(target.parents) if not f.exists()]:
            folder.mkdir(mode=0o700)
        shutil.copyfile(source, target)
        target.chmod(mode)


def _move_registry_to_server(file: Path, url: str) -> None:
    """Move the registry from `file` to the database at `url`, which must be empty."""
    registry = open_registry(url)
    try:
        with registry.read() as session:
            if session.scalar(select(func.count()).select_from(Run)):
                raise HarmoniaError(
                    f"registry {registry.shown_url} is not empty: name a new database with --registry-url; nothing was written"
                )
    finally:
        registry.close()
    open_registry(f"sqlite:///{file}").close()  # migrated, if the backup is of an older version
    source = create_engine(f"sqlite:///{file}", hide_parameters=True)
    try:
        with source.connect() as connection:
            copy_registry_rows(connection, url)
        _advance_sequences(url)
    except DBAPIError as error:
        raise HarmoniaError(
            f"the registry could not be written to the database ({type(error.orig).__name__}): check it, then restore again"
        ) from error
    finally:
        source.dispose()
    file.unlink()


def _advance_sequences(url: str) -> None:
    """Set the sequences of the database, so that new rows get numbers after the restored ones."""
    engine = create_engine(url, hide_parameters=True)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables if engine.dialect.name == "postgresql" else ():
            column = table.autoincrement_column
            if column is not None:
                name = connection.scalar(
                    text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
                )
                highest = connection.scalar(select(func.max(column)))
                if name and highest:
                    connection.execute(text("SELECT setval(:name, :highest)"), {"name": name, "highest": highest})
    engine.dispose()
