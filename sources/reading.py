"""Entry point of all readers: the files of an institution's delivery in, text and positions out.

Belongs here: finding the institution's reader. Does not belong here: reading (`sources/<institution>/reader.py`, `sources/readers`).
"""

from __future__ import annotations

from importlib import import_module

from sources import contract
from sources.readers.result import ReadResult, SourceFile


def read_delivery(institution: str, files: list[SourceFile]) -> ReadResult:
    """Read a delivery with the institution's reader and contract.

    Raises `FileNotFoundError` for an institution without a contract; the content of the files never raises.
    """
    declared = contract.load(institution)
    result: ReadResult = import_module(f"sources.{institution}.reader").read(files, declared)
    return result
