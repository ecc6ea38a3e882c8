"""Yardsticks as landed: `<inbox>/yardsticks/<period>[_vN]/*.csv`, figures that institutions published themselves.

Belongs here: which landed files are current. Does not belong here: their content (`warehouse/yardsticks.py`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from harmonia.home import Home
from harmonia.registry import Registry
from harmonia.registry.ledger import YARDSTICKS, received
from harmonia.registry.tables import File
from pipelines.landing.names import kind_of
from pipelines.landing.store import LandingStore


def yardstick_files(registry: Registry, home: Home) -> list[tuple[str, Path]]:
    """Path in the inbox and place of the bytes of every current file of yardsticks: of each period those of the newest version.

    Raises `HarmoniaError` if bytes are missing from the landing store or truncated.
    """
    store = LandingStore(home.landing)
    with registry.read() as session:
        newest = {one.period: one for one in received(session) if one.institution == YARDSTICKS}
        sizes = dict(session.execute(select(File.sha256, File.size)).all())
        files = [(f"{YARDSTICKS}/{one.name}/{file.name}", file) for one in newest.values() for file in one.receipts[-1].files]
    out = []
    for name, file in sorted(files, key=lambda found: found[0]):
        if file.kind == "file" and kind_of(file.name) == "file":
            out.append((name, store.existing_path(file.sha256, sizes[file.sha256], name)))
    return out
