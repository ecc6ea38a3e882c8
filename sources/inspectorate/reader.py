"""How a delivery of the inspectorate is read: one manually kept workbook with a title block and a total line.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `raporti.xlsx` into table `lendet`."""
    return read_files(files, contract)
