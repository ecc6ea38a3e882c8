"""Verify a home or a backup: landed files, registry, keys and published files. Each problem is reported as a line of text.

Does not belong here: repairing anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
from sqlalchemy import select

from harmonia.console import format_count
from harmonia.errors import HarmoniaError
from harmonia.operations.backup.manifest import REGISTRY, Manifest, digest_file, find_damaged_files
from harmonia.registry import Registry, open_registry, published_seal, seal
from harmonia.registry.ledger import read_everything_received, read_removed_hashes
from harmonia.registry.tables import File
from pipelines.landing.store import LandingStore
from pipelines.resources.workplace import Workplace
from warehouse import stores
from warehouse.releases import folder

_REMEDY = "copy it from a backup, or run with the original file in the inbox"


def verify_home(workplace: Workplace, backup: Path | None = None) -> Iterator[str]:
    """Yield the problems of a home, each as a line of text.

    If `backup` is given, also check that the registry still has the newest seal of this backup. Raises `HarmoniaError` if there is no
    home, or if its registry cannot be opened.
    """
    home = workplace.home
    if workplace.registry_url is None:
        if not (home.root / REGISTRY).is_file():
            raise HarmoniaError(f"home {home.root} has no {REGISTRY}: name the home with --home, or the registry with --registry-url")
        yield from _find_database_problems(home.root / REGISTRY)
    expected_seal = Manifest.read(backup).seal if backup else None
    registry = open_registry(workplace.registry)
    try:
        yield from _find_ledger_problems(registry, expected_seal)
        yield from _find_outdated_registry(workplace, registry)
        yield from _find_landing_problems(registry, LandingStore(home.landing))
    finally:
        registry.close()
    yield from _find_published_problems(workplace)


def verify_backup(folder: Path) -> Iterator[str]:
    """Yield the problems of a backup, each as a line of text."""
    manifest = Manifest.read(folder)
    yield from find_damaged_files(folder, manifest)
    file = folder / REGISTRY
    if file.is_file():
        yield from _find_database_problems(file)


def _find_database_problems(file: Path) -> Iterator[str]:
    """Yield the problems of an SQLite file, such as damage or dangling references. The file is not changed."""
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            results = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            dangling = len(connection.execute("PRAGMA foreign_key_check").fetchall())
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield f"{file}: cannot be read as a database ({type(error).__name__}): restore it from a backup"
        return
    if results != ["ok"]:
        yield f"{file}: damaged ({format_count(len(results), 'error')}): restore it from a backup"
    if dangling:
        yield f"ledger: {format_count(dangling, 'row')} with a reference to a missing row"


def _find_ledger_problems(registry: Registry, expected_seal: tuple[int, str] | None) -> Iterator[str]:
    with registry.read() as session:
        yield from (f"ledger: {line}" for line in seal.find_integrity_problems(session))
        if expected_seal and not seal.seal_has_digest(session, *expected_seal):
            yield f"ledger: seal {expected_seal[0]} differs from the backup: the seals were recomputed, or it is another ledger"


def _find_outdated_registry(workplace: Workplace, registry: Registry) -> Iterator[str]:
    """Yield a problem if the registry is older than at the last publication of the home, or if it is a different registry."""
    try:
        published_seal.require_current_registry(workplace.home, registry)
    except HarmoniaError as error:
        yield f"ledger: {error}"


def _find_landing_problems(registry: Registry, store: LandingStore) -> Iterator[str]:
    """Yield the landed files that are missing, changed, or not in the registry, each with the deliveries to which it belongs."""
    present = {path.name for path in store.folder.glob("[0-9a-f][0-9a-f]/*")}  # before the ledger: a run may land more
    with registry.read() as session:
        sizes = {row.sha256: row.size for row in session.execute(select(File.sha256, File.size))}
        owners: dict[str, list[str]] = {sha256: [] for sha256 in sizes}
        for delivery in read_everything_received(session):
            for file in (file for receipt in delivery.receipts for file in receipt.files):
                owners.setdefault(file.sha256, []).append(f"{delivery.institution} {delivery.name} {file.name}")
        erased = read_removed_hashes(session)
    for sha256, owner_names in sorted(owners.items()):
        label = f"{', '.join(sorted(set(owner_names))[:3]) or 'a file without receipt'}: {store.get_path(sha256)}"
        if sha256 in erased:
            if store.get_path(sha256).exists():
                yield f"{label} was removed by an erasure but exists: find the order with `harmonia erase list` and execute it again"
            continue
        try:
            size, sha256_found = digest_file(store.get_path(sha256))
        except OSError:
            yield f"{label} is missing or cannot be read: {_REMEDY}"
            continue
        if sha256_found != sha256:
            yield f"{label} was changed since it was received: move it away, then {_REMEDY}"
        elif sha256 not in sizes or sizes[sha256] != size:
            yield f"{label} does not match the ledger"
    for name in sorted(present - owners.keys()):
        remedy = "run again, which records or removes leftovers of a killed run; if it remains, move it away"
        yield f"{store.get_path(name)} is not in the ledger: {remedy}"


def _find_published_problems(workplace: Workplace) -> Iterator[str]:
    """Yield the problems of keys, releases and published files. Missing published files are no problem, since the next run writes them."""
    home = workplace.home
    key = home.root / stores.KEY_FILE
    if key.exists() and (key.stat().st_size != stores.KEY_BYTES or key.stat().st_mode & 0o077):
        yield f"{key}: not a key of {stores.KEY_BYTES} bytes with access for its owner only: restore it from a backup"
    try:
        folder.verify_release_chain(home.releases)
    except HarmoniaError as error:
        yield f"releases: {error}"
    for path in (home.warehouse, home.analysts_warehouse, home.identity_store):
        if path.exists():
            try:
                duckdb.connect(str(path), read_only=True).close()
            except duckdb.Error as error:
                yield f"{path}: cannot be opened ({type(error).__name__}): run again, which rebuilds it"
