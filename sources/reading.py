"""The entry point of all readers. It reads the files of an institution's delivery and returns their cells as text, with positions.

Belongs here: finding the reader of the institution. Does not belong here: reading itself (`sources/<institution>/reader.py`,
`sources/readers`).
"""

from __future__ import annotations

from importlib import import_module

from sources import contract
from sources.readers.result import ReadResult, SourceFile


def read_delivery(institution: str, files: list[SourceFile]) -> ReadResult:
    """Read a delivery with the institution's reader and contract.

    Raises `FileNotFoundError` for an institution without a contract. The content of the files never raises an error.
    """
    spec = contract.load(institution)
    result: ReadResult = import_module(f"sources.{institution}.reader").read(files, spec)
    return result
