"""How a delivery of the police is read: two delimited files, one with cases and one with persons.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `rastet.csv` and `personat.csv` into the tables `rastet` and `personat`. The column `Nr_rastit` of a person is the number of the
    case."""
    return read_files(files, contract)
