"""How a delivery of the inspectorate is read: one workbook, kept by hand, with a title above the table and a total below it.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `raporti.xlsx` into the table `lendet`."""
    return read_files(files, contract)
