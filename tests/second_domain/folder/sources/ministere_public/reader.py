"""How a delivery of the prosecution of Valmira is read: as its contract says."""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `dossiers.json` into `dossiers` and the arrays in its objects."""
    return read_files(files, contract)
