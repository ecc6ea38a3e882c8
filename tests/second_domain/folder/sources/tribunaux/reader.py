"""How a delivery of the courts of Valmira is read: as its contract says."""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `affaires.csv` and `prevenus.csv` into the tables of these names."""
    return read_files(files, contract)
