"""Landed yardsticks: figures that institutions published themselves, from `<inbox>/yardsticks/<period>[_vN]/*.csv`.

Belongs here: which of the landed files are current. Does not belong here: their content (`warehouse/yardsticks.py`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from harmonia.home import Home
from harmonia.registry import Registry
from harmonia.registry.ledger import YARDSTICKS, read_everything_received
from harmonia.registry.tables import File
from pipelines.landing.file_names import classify_file_name
from pipelines.landing.store import LandingStore


def list_yardstick_files(registry: Registry, home: Home) -> list[tuple[str, Path]]:
    """List the files with yardsticks in the newest version of each period: the path of each in the inbox, and the path of its stored bytes.

    Raises `HarmoniaError` if bytes are missing from the landing store or truncated.
    """
    store = LandingStore(home.landing)
    with registry.read() as session:
        newest = {delivery.period: delivery for delivery in read_everything_received(session) if delivery.institution == YARDSTICKS}
        sizes = dict(session.execute(select(File.sha256, File.size)).all())
        files = [
            (f"{YARDSTICKS}/{delivery.name}/{file.name}", file) for delivery in newest.values() for file in delivery.receipts[-1].files
        ]
    out = []
    for name, file in sorted(files, key=lambda entry: entry[0]):
        if file.kind == "file" and classify_file_name(file.name) == "file":
            out.append((name, store.require_stored_path(file.sha256, sizes[file.sha256], name)))
    return out
