"""How a delivery of the register is read: two delimited files without a header."""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read the events and the persons; persons hang on events by their number."""
    return read_files(files, contract)
