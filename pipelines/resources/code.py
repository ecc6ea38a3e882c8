"""What a kept result hangs on besides its inputs: the code and the libraries that it was made with.

Belongs here: their hash. Does not belong here: what is kept.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@cache
def digest(patterns: tuple[str, ...], libraries: tuple[str, ...] = ()) -> str:
    """Hash of the files of the repository that match `patterns` (of a folder all that lie below it), and of the versions of `libraries`."""
    found = hashlib.sha256()
    for path in sorted({file for pattern in patterns for file in _files(pattern)}):
        found.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    for library in libraries:
        found.update(f"{library} {_version(library)}\n".encode())
    return found.hexdigest()


def _files(pattern: str) -> list[Path]:
    found = [file for path in _ROOT.glob(pattern) for file in (path.rglob("*") if path.is_dir() else [path])]
    return [file for file in found if file.is_file() and file.suffix != ".pyc"]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
