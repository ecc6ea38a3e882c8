"""The manifest of a backup: its files with size and SHA-256, and the newest seal of its ledger.

Belongs here: the format of `manifest.json`, reading and comparing it. Does not belong here: copying.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harmonia.errors import HarmoniaError, convert_storage_errors

NAME = "manifest.json"
FORMAT = 1
REGISTRY = "registry.sqlite"


@dataclass
class Manifest:
    """The manifest of a backup.

    `made` is the time of the backup, and `harmonia` the version of the program. `seal` is the number and the digest of the registry's
    newest seal. `files` maps the path of each file in the backup to its size in bytes and its SHA-256.
    """

    made: str  # UTC
    harmonia: str
    seal: tuple[int, str]
    files: dict[str, tuple[int, str]] = field(default_factory=dict)
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write the manifest to a backup, as its last file."""
        path = folder / NAME
        with convert_storage_errors(path):
            path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", "utf-8")
            path.chmod(0o600)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a backup. Raises `HarmoniaError` if the folder is not a backup, or has another format."""
        path = folder / NAME
        try:
            raw = json.loads(path.read_text("utf-8"))
            files = {str(name): (int(size), str(sha256)) for name, (size, sha256) in raw["files"].items()}
            out = cls(raw["made"], raw["harmonia"], (int(raw["seal"][0]), str(raw["seal"][1])), files, int(raw["format"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise HarmoniaError(
                f"{folder}: not a backup ({NAME} is missing or damaged): name a folder created by `harmonia backup`"
            ) from error
        if out.format != FORMAT or any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
            raise HarmoniaError(f"{folder}: backup in another format ({out.format}): restore it with Harmonia {out.harmonia}")
        return out


def digest_file(path: Path) -> tuple[int, str]:
    """Return size in bytes and SHA-256 of a file. Raises `OSError` if it cannot be read."""
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def find_damaged_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yield the missing, changed and unexpected files of a backup, each as a line of text."""
    for name, expected in sorted(manifest.files.items()):
        try:
            if digest_file(folder / name) != expected:
                yield f"{name}: was changed"
        except OSError:
            yield f"{name}: missing or unreadable"
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    yield from (f"{name}: not in the manifest" for name in sorted(present - manifest.files.keys() - {NAME}))
