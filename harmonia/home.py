"""The home folder: paths and permissions of all files and folders of an installation.

Does not belong here: the content of these files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors

_PRIVATE = 0o700  # personal data: only for the user that runs the pipeline


@dataclass(frozen=True)
class Home:
    """The home folder `root`, and the paths of what it contains."""

    root: Path

    @property
    def landing(self) -> Path:
        """The folder with every received file, named by the hash of its content. It is part of a backup."""
        return self.root / "landing"

    @property
    def registry_file(self) -> Path:
        """The file with the registry, unless another database is configured. It is part of a backup."""
        return self.root / "registry.sqlite"

    @property
    def registry_url(self) -> str:
        """The SQLAlchemy URL of the registry file."""
        return f"sqlite:///{self.registry_file.absolute()}"

    @property
    def has_published_run(self) -> bool:
        """Whether a run has published into this home."""
        return (self.root / "published" / "current").exists()

    @property
    def lake(self) -> Path:
        """The folder with the Parquet files of the stages. A run can rebuild it."""
        return self.root / "lake"

    @property
    def warehouse(self) -> Path:
        """The warehouse. A run can rebuild it."""
        return self.root / "warehouse.duckdb"

    @property
    def analysts_warehouse(self) -> Path:
        """The warehouse with pseudonyms in place of record keys. A run can rebuild it."""
        return self.root / "analysts.duckdb"

    @property
    def identity_store(self) -> Path:
        """The database with names and numbers, for stewards (file mode 0600). A run can rebuild it."""
        return self.root / "identity.duckdb"

    @property
    def feedback(self) -> Path:
        """The folder with the feedback to institutions, in folders `<institution>/<delivery>/`."""
        return self.root / "feedback"

    @property
    def releases(self) -> Path:
        """The folder with the releases. It is part of a backup."""
        return self.root / "releases"

    @property
    def dagster(self) -> Path:
        """The folder in which Dagster stores its own data."""
        return self.root / "dagster"

    def create(self) -> Home:
        """Create the folders that are missing. Those with personal data can be read by the running user only (0700).

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
