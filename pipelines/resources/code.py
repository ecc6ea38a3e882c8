"""A hash of the code and libraries that an output was made with.

Belongs here: the hash. Does not belong here: the outputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sources import contract

_ROOT = Path(__file__).resolve().parents[2]


@cache
def digest(patterns: tuple[str, ...], libraries: tuple[str, ...] = ()) -> str:
    """Hash of the files of the repository that match `patterns` (of a folder all that lie below it), of the institutions in folders outside
    it (`HARMONIA_SOURCES`), and of the versions of `libraries`."""
    found = hashlib.sha256()
    inside = sorted({(str(file.relative_to(_ROOT)), file) for pattern in patterns for file in _files(_ROOT.glob(pattern))})
    for name, path in [*inside, *((str(file), file) for file in sorted(_files(contract.further())))]:
        found.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for library in libraries:
        found.update(f"{library} {_version(library)}\n".encode())
    return found.hexdigest()


def _files(paths: Iterable[Path]) -> list[Path]:
    found = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return [file for file in found if file.is_file() and file.suffix != ".pyc"]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
