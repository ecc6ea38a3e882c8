"""The folders and databases of a run: inbox, home, registry and warehouse.

Belongs here: these four, and the environment variables that name them. Does not belong here: what they contain. This module imports no
large library, since every command of `harmonia` begins with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harmonia.errors import HarmoniaError
from harmonia.home import Home

DEFAULT_INBOX, DEFAULT_HOME = Path("data/inbox"), Path("data/home")


@dataclass(frozen=True)
class Workplace:
    """The folders and databases of a run.

    A URL is None if the database is a file in the home. A URL may contain a password and must never be shown.
    """

    inbox: Path
    home: Home
    registry_url: str | None = None
    warehouse_url: str | None = None

    @classmethod
    def from_paths(
        cls, inbox: Path | None, home: Path | None, registry_url: str | None = None, warehouse_url: str | None = None
    ) -> Workplace:
        """Make a workplace with absolute paths. A path that is None is replaced by the default."""
        return cls(
            (inbox or DEFAULT_INBOX).expanduser().absolute(),
            Home((home or DEFAULT_HOME).expanduser().absolute()),
            registry_url or None,
            warehouse_url or None,
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Workplace:
        """Read `HARMONIA_INBOX`, `HARMONIA_HOME`, `HARMONIA_REGISTRY_URL` and `HARMONIA_WAREHOUSE_URL`.

        If a variable is not set, the default is used.
        """

        def path(name: str) -> Path | None:
            return Path(environment[name]) if environment.get(name) else None

        return cls.from_paths(
            path("HARMONIA_INBOX"),
            path("HARMONIA_HOME"),
            environment.get("HARMONIA_REGISTRY_URL"),
            environment.get("HARMONIA_WAREHOUSE_URL"),
        )

    def make_environment_variables(self) -> dict[str, str]:
        """Return environment variables with which another process (such as Dagster) uses the same folders and databases."""
        urls = {"HARMONIA_REGISTRY_URL": self.registry_url or "", "HARMONIA_WAREHOUSE_URL": self.warehouse_url or ""}
        return {"HARMONIA_INBOX": str(self.inbox), "HARMONIA_HOME": str(self.home.root), **urls}

    @property
    def registry(self) -> str:
        """The URL of the registry.

        Raises `HarmoniaError` if the home was published with a registry that is neither in the home nor named. A new registry would assign
        new ids.
        """
        if self.registry_url is None and self.home.has_published_run and not self.home.registry_file.exists():
            raise HarmoniaError(
                f"home {self.home.root} was published with a registry that is not in it: name it with --registry-url (or "
                "HARMONIA_REGISTRY_URL); if it is lost, restore a backup into an empty home"
            )
        return self.registry_url or self.home.registry_url

    @property
    def logs(self) -> Path:
        """The folder with the logs of failures."""
        return self.home.root / "logs"

    def prepare_folders(self) -> Workplace:
        """Create the home, check that the inbox can be read, and return this workplace.

        Raises `HarmoniaError`, which says what to do, if one of them cannot be used.
        """
        if not self.inbox.is_dir():
            kind = "is a file" if self.inbox.exists() else "does not exist"
            raise HarmoniaError(
                f"inbox {self.inbox} {kind}: name the folder that holds <institution>/<period>/ with --inbox (or HARMONIA_INBOX); "
                "`harmonia simulate --out data` makes one to try"
            )
        if not os.access(self.inbox, os.R_OK | os.X_OK):
            raise HarmoniaError(f"inbox {self.inbox} cannot be read by this user: change its permissions or run as another user")
        self.home.create()
        return self
