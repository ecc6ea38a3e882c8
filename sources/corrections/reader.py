"""How a delivery of the correctional service is read: one workbook, a sheet for each facility.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `shkk.xlsx` into table `te_burgosurit`; `_part` is the facility."""
    return read_files(files, contract)
