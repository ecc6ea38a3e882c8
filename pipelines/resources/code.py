"""A hash of the code and libraries by which an output was made.

Belongs here: the hash. Does not belong here: the outputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from schemas import domain_folder
from sources import contract

_ROOT = Path(__file__).resolve().parents[2]


@cache
def digest_code(patterns: tuple[str, ...], libraries: tuple[str, ...] = ()) -> str:
    """Return a hash of the repository's files that match `patterns` (a folder means all files below it), of the domain and the
    institutions in folders outside the repository (`HARMONIA_DOMAIN`, `HARMONIA_SOURCES`), and of the versions of `libraries`."""
    hasher = hashlib.sha256()
    repository_files = sorted({(str(file.relative_to(_ROOT)), file) for pattern in patterns for file in _files_below(_ROOT.glob(pattern))})
    outside = _files_below([*filter(None, [domain_folder.folder()]), *contract.further()])
    for name, path in [*repository_files, *((str(file), file) for file in sorted(outside))]:
        hasher.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for library in libraries:
        hasher.update(f"{library} {_library_version(library)}\n".encode())
    return hasher.hexdigest()


def _files_below(paths: Iterable[Path]) -> list[Path]:
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return [file for file in files if file.is_file() and file.suffix != ".pyc"]


def _library_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
