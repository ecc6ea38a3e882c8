"""Where Harmonia keeps everything: the folders and files below one home.

Belongs here: names and permissions of what a home holds. Does not belong here: what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import HarmoniaError, storage

_PRIVATE = 0o700  # holds personal data: for the one user that runs the pipeline


@dataclass(frozen=True)
class Home:
    """The home folder `root`, and what lies in it."""

    root: Path

    @property
    def landing(self) -> Path:
        """Every file as received, by content hash. Never lost."""
        return self.root / "landing"

    @property
    def registry_file(self) -> Path:
        """The embedded registry, where none is named elsewhere. Never lost."""
        return self.root / "registry.sqlite"

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the embedded registry."""
        return f"sqlite:///{self.registry_file.absolute()}"

    @property
    def published(self) -> bool:
        """Whether a run ever published here."""
        return (self.root / "published" / "current").exists()

    @property
    def lake(self) -> Path:
        """Parquet of the stages; can be rebuilt."""
        return self.root / "lake"

    @property
    def warehouse(self) -> Path:
        """The warehouse; can be rebuilt."""
        return self.root / "warehouse.duckdb"

    @property
    def analysts(self) -> Path:
        """The warehouse with pseudonyms in place of record keys; can be rebuilt."""
        return self.root / "analysts.duckdb"

    @property
    def identity(self) -> Path:
        """Names and numbers, for stewards; file mode 0600; can be rebuilt."""
        return self.root / "identity.duckdb"

    @property
    def feedback(self) -> Path:
        """What is handed back to the institutions, `<institution>/<delivery>/`."""
        return self.root / "feedback"

    @property
    def releases(self) -> Path:
        """Published figures as known on a day. Never lost."""
        return self.root / "releases"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    def create(self) -> Home:
        """Make the folders that are not there yet; those with personal data are for the running user alone (0700).

        Raises `HarmoniaError` where the root is a file or cannot be written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise HarmoniaError(f"home {self.root} is a file: name a folder with --home (or HARMONIA_HOME), or remove the file")
        with storage(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        for folder, private in (
            (self.landing, True),
            (self.lake, True),
            (self.feedback, True),
            (self.releases, False),
            (self.dagster, True),
        ):
            with storage(folder):
                folder.mkdir(exist_ok=True)
                if private and folder.stat().st_mode & 0o077:
                    folder.chmod(_PRIVATE)
        return self
