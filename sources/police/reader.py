"""How a delivery of the police is read: two delimited files, cases and persons.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `rastet.csv` and `personat.csv` into tables `rastet` and `personat`; persons belong to cases by `Nr_rastit`."""
    return read_files(files, contract)
