"""What a backup says of itself: its files with size and SHA-256, and the newest seal of the ledger in it.

Belongs here: the form of `manifest.json`, reading and comparing it. Does not belong here: copying.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipelines.errors import HarmoniaError, storage

NAME = "manifest.json"
FORMAT = 1
REGISTRY = "registry.sqlite"


@dataclass
class Manifest:
    """`files`: path in the backup -> size and SHA-256. `seal`: number and digest of the newest seal of the ledger."""

    made: str  # UTC
    harmonia: str
    seal: tuple[int, str]
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Put it into a backup, last of all."""
        path = folder / NAME
        with storage(path):
            path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", "utf-8")
            path.chmod(0o600)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a backup. Raises `HarmoniaError` where the folder is none, or of another form."""
        path = folder / NAME
        try:
            said = json.loads(path.read_text("utf-8"))
            files = {str(name): (int(size), str(sha256)) for name, (size, sha256) in said["files"].items()}
            out = cls(said["made"], said["harmonia"], (int(said["seal"][0]), str(said["seal"][1])), files, int(said["format"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise HarmoniaError(
                f"{folder}: is no backup ({NAME} is missing or damaged): name the folder that `harmonia backup` made"
            ) from error
        if out.format != FORMAT or any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise HarmoniaError(f"{folder}: is a backup of another form ({out.format}): restore it with Harmonia {out.harmonia}")
        return out


def digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file. Raises `OSError`."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def damaged(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Files of a backup that are missing, changed, or were put there, a line each."""
    for name, told in sorted(manifest.files.items()):
        try:
            if digest(folder / name) != told:
                yield f"{name}: holds other bytes than were kept"
        except OSError:
            yield f"{name}: is missing or cannot be read"
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    yield from (f"{name}: was put there" for name in sorted(there - manifest.files.keys() - {NAME}))
