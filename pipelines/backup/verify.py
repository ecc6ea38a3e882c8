"""Whether a home, or a backup, still holds what was put there.

Belongs here: comparing landing, ledger, keys and published files with what they should be, a line for each thing that is not. Does not
belong here: mending it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
from sqlalchemy import select

from pipelines.backup.manifest import REGISTRY, Manifest, damaged, digest
from pipelines.errors import HarmoniaError
from pipelines.landing.store import Store
from pipelines.registry import Registry, open_registry, published_seal, seal
from pipelines.registry.ledger import deliveries, removed
from pipelines.registry.tables import File
from pipelines.resources.workplace import Workplace
from warehouse import stores
from warehouse.releases import folder

_ANEW = "copy it from a backup, or run while the file as it was received lies in the inbox"


def verify_home(workplace: Workplace, backup: Path | None = None) -> Iterator[str]:
    """What is wrong with a home, a line each; with a backup of it, also whether the ledger still holds what was kept then.

    Raises `HarmoniaError` where there is no home, or the registry cannot be opened at all.
    """
    home = workplace.home
    if workplace.registry_url is None:
        if not (home.root / REGISTRY).is_file():
            raise HarmoniaError(f"home {home.root} has no {REGISTRY}: name the home with --home, or the registry with --registry-url")
        yield from _sound(home.root / REGISTRY)
    known = Manifest.read(backup).seal if backup else None
    registry = open_registry(workplace.registry)
    try:
        yield from _ledger(registry, known)
        yield from _behind(workplace, registry)
        yield from _landing(registry, Store(home.landing))
    finally:
        registry.close()
    yield from _published(workplace)


def verify_backup(folder: Path) -> Iterator[str]:
    """What is wrong with a backup, a line each."""
    manifest = Manifest.read(folder)
    yield from damaged(folder, manifest)
    file = folder / REGISTRY
    if file.is_file():
        yield from _sound(file)


def _sound(file: Path) -> Iterator[str]:
    """Whether a registry file is sound as a database; opened for reading only."""
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        try:
            said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            astray = len(connection.execute("PRAGMA foreign_key_check").fetchall())
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield f"{file}: cannot be read as a database ({type(error).__name__}): restore it from a backup"
        return
    if said != ["ok"]:
        yield f"{file}: is damaged ({len(said)} places): restore it from a backup"
    if astray:
        yield f"ledger: {astray} rows name rows that are not there"


def _ledger(registry: Registry, known: tuple[int, str] | None) -> Iterator[str]:
    with registry.read() as session:
        yield from (f"ledger: {line}" for line in seal.broken(session))
        if known and not seal.holds(session, *known):
            yield f"ledger: seal {known[0]} is not the one in the backup: the ledger was sealed anew, or is another one"


def _behind(workplace: Workplace, registry: Registry) -> Iterator[str]:
    """Whether the registry is behind the one that the home was published with, or another one."""
    try:
        published_seal.require(workplace.home, registry)
    except HarmoniaError as error:
        yield f"ledger: {error}"


def _landing(registry: Registry, store: Store) -> Iterator[str]:
    """Landed bytes that are missing, changed, or in no ledger, each with the deliveries that they belong to."""
    there = {path.name for path in store.folder.glob("[0-9a-f][0-9a-f]/*")}  # first: what a run lands meanwhile is in no older ledger
    with registry.read() as session:
        sizes = {row.sha256: row.size for row in session.execute(select(File.sha256, File.size))}
        owners: dict[str, list[str]] = {sha256: [] for sha256 in sizes}
        for delivery in deliveries(session):
            for file in (file for receipt in delivery.receipts for file in receipt.files):
                owners.setdefault(file.sha256, []).append(f"{delivery.institution} {delivery.name} {file.name}")
        gone = removed(session)
    for sha256, whose in sorted(owners.items()):
        told = f"{', '.join(sorted(set(whose))[:3]) or 'a file of no receipt'}: {store.path(sha256)}"
        if sha256 in gone:
            if store.path(sha256).exists():
                yield f"{told} was removed by an erasure and is there again: `harmonia erase list` names it, carry it out once more"
            continue
        try:
            size, found = digest(store.path(sha256))
        except OSError:
            yield f"{told} is missing or cannot be read: {_ANEW}"
            continue
        if found != sha256:
            yield f"{told} holds other bytes than were received: move it away, then {_ANEW}"
        elif sha256 not in sizes or sizes[sha256] != size:
            yield f"{told} is not in the ledger as it is on the disk"
    for name in sorted(there - owners.keys()):
        way = "run again, which enters or removes what a killed run left; else it was slipped in, move it away"
        yield f"{store.path(name)} is in no ledger: {way}"


def _published(workplace: Workplace) -> Iterator[str]:
    """Whether key, releases and published files are what they should be; what is not there is written by the next run."""
    home = workplace.home
    key = home.root / stores.KEY_FILE
    if key.exists() and (key.stat().st_size != stores.KEY_BYTES or key.stat().st_mode & 0o077):
        yield f"{key}: is no key of {stores.KEY_BYTES} bytes that only its owner may read: restore it from a backup"
    try:
        folder.chain(home.releases)
    except HarmoniaError as error:
        yield f"releases: {error}"
    for path in (home.warehouse, home.analysts, home.identity):
        if path.exists():
            try:
                duckdb.connect(str(path), read_only=True).close()
            except duckdb.Error as error:
                yield f"{path}: cannot be opened ({type(error).__name__}): run again, which writes it anew"
