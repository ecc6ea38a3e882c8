"""How a delivery of the correctional service is read: one workbook with a sheet for each facility.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `shkk.xlsx` into the table `te_burgosurit`. The column `_part` contains the facility."""
    return read_files(files, contract)
