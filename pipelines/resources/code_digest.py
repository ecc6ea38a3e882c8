"""A hash of the code and of the libraries with which an output was made.

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
def hash_code_and_libraries(patterns: tuple[str, ...], libraries: tuple[str, ...] = ()) -> str:
    """Return a hash of the files of the repository that match `patterns`, of files outside it, and of the versions of `libraries`.

    If a pattern matches a folder, all files below the folder count. The files outside the repository are the domain and the institutions
    that `HARMONIA_DOMAIN` and `HARMONIA_SOURCES` name.
    """
    hasher = hashlib.sha256()
    repository_files = sorted(
        {(str(file.relative_to(_ROOT)), file) for pattern in patterns for file in _list_files_below(_ROOT.glob(pattern))}
    )
    outside_files = _list_files_below([*filter(None, [domain_folder.folder()]), *contract.folders_named_in_environment()])
    for name, path in [*repository_files, *((str(file), file) for file in sorted(outside_files))]:
        hasher.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for library in libraries:
        hasher.update(f"{library} {_get_library_version(library)}\n".encode())
    return hasher.hexdigest()


def _list_files_below(paths: Iterable[Path]) -> list[Path]:
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return [file for file in files if file.is_file() and file.suffix != ".pyc"]


def _get_library_version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
