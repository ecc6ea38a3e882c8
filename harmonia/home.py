"""The home folder: paths and permissions of all files and folders of an installation.

Does not belong here: their content.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors

_PRIVATE = 0o700  # personal data: only for the user that runs the pipeline


@dataclass(frozen=True)
class Home:
    """The home folder `root` and the paths below it."""

    root: Path

    @property
    def landing(self) -> Path:
        """Every file as received, by content hash. In the backup."""
        return self.root / "landing"

    @property
    def registry_file(self) -> Path:
        """The embedded registry, unless another database is configured. In the backup."""
        return self.root / "registry.sqlite"

    @property
    def registry_url(self) -> str:
        """SQLAlchemy URL of the embedded registry."""
        return f"sqlite:///{self.registry_file.absolute()}"

    @property
    def has_published_run(self) -> bool:
        """Whether a run has published here."""
        return (self.root / "published" / "current").exists()

    @property
    def lake(self) -> Path:
        """Parquet outputs of the stages; can be rebuilt."""
        return self.root / "lake"

    @property
    def warehouse(self) -> Path:
        """The warehouse; can be rebuilt."""
        return self.root / "warehouse.duckdb"

    @property
    def analysts_warehouse(self) -> Path:
        """The warehouse with pseudonyms in place of record keys; can be rebuilt."""
        return self.root / "analysts.duckdb"

    @property
    def identity_store(self) -> Path:
        """Names and numbers, for stewards; file mode 0600; can be rebuilt."""
        return self.root / "identity.duckdb"

    @property
    def feedback(self) -> Path:
        """Feedback to the institutions, `<institution>/<delivery>/`."""
        return self.root / "feedback"

    @property
    def releases(self) -> Path:
        """Published figures as known on a day. In the backup."""
        return self.root / "releases"

    @property
    def dagster(self) -> Path:
        """Dagster's own storage."""
        return self.root / "dagster"

    def create(self) -> Home:
        """Create missing folders; those with personal data only for the running user (0700).

        Raises `HarmoniaError` if the root is a file or cannot be written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise HarmoniaError(f"home {self.root} is a file: name a folder with --home (or HARMONIA_HOME), or remove the file")
        with convert_storage_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        for folder, private in (
            (self.landing, True),
            (self.lake, True),
            (self.feedback, True),
            (self.releases, False),
            (self.dagster, True),
        ):
            with convert_storage_errors(folder):
                folder.mkdir(exist_ok=True)
                if private and folder.stat().st_mode & 0o077:
                    folder.chmod(_PRIVATE)
        return self
