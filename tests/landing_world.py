"""A small inbox, home and registry for the tests of landing, registry and status."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import MetaData

from harmonia.home import Home
from harmonia.registry import Registry, open_registry
from pipelines.landing import LandingReport, land_deliveries, list_landed_deliveries


class World:
    """An inbox beside a home, empty at first."""

    def __init__(self, root: Path) -> None:
        self.inbox = root / "inbox"
        self.inbox.mkdir(parents=True)
        self.home = Home(root / "home").create()
        self.registry: Registry = open_registry(self.home.registry_url)

    def put(self, place: str, content: str | bytes = "x") -> Path:
        """Write a file at `place` below the inbox, with its folders."""
        path = self.inbox / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def land(self, settle: float = 0) -> LandingReport:
        """Land the inbox."""
        return land_deliveries(self.inbox, self.home, self.registry, settle_seconds=settle)

    def list_findings(self, settle: float = 0) -> list[tuple[Any, ...]]:
        """Land the inbox; return its findings as (rule, institution, delivery, file)."""
        return [(f["rule"], f["institution"], f["delivery"], f["file"]) for f in self.land(settle).findings]

    def landed_files(self) -> dict[tuple[str, str], dict[str, bytes]]:
        """Return the files of the landed deliveries: (institution, delivery) → file name → bytes."""
        every = list_landed_deliveries(self.registry, self.home)
        return {(d.institution, str(d.name)): {f.name: f.path.read_bytes() for f in d.files} for d in every}

    def stored(self) -> dict[str, bytes]:
        """Everything in the landing store that is no lock, by path below it."""
        files = (p for p in self.home.landing.rglob("*") if p.is_file() and p.name != ".lock")
        return {str(p.relative_to(self.home.landing)): p.read_bytes() for p in files}

    def ledger(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table of the registry, but runs."""
        metadata = MetaData()
        metadata.reflect(self.registry.engine)
        with self.registry.read() as session:
            return {t.name: [tuple(row) for row in session.execute(t.select())] for t in metadata.sorted_tables if t.name != "run"}
