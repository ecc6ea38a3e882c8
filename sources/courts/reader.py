"""How a delivery of the courts is read: one XML file, rows nested in rows.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `smil.xml` into `lenda` and the elements nested in it, each row with its parent row."""
    return read_files(files, contract)
