"""How a delivery of the courts is read: one XML file, in which rows are nested in other rows.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `smil.xml` into the table `lenda` and a table for each kind of element nested in it. Each nested row knows its parent row."""
    return read_files(files, contract)
