"""How a delivery of Valmira's police is read: as its contract says."""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `anzeigen.csv` and `beteiligte.csv` into the tables of these names."""
    return read_files(files, contract)
