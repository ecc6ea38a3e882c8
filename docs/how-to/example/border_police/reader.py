"""How a delivery of the Border Police is read: as its contract says."""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `cases.csv` into table `cases`."""
    return read_files(files, contract)
