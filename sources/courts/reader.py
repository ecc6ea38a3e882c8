"""How a delivery of the courts is read: one XML file, rows nested in rows.

Belongs here: what is peculiar to this institution's files. All else is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `smil.xml` into `lenda` and the elements nested in it, each row with the row it stands in."""
    return read_files(files, contract)
