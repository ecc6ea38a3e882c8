"""How a delivery of the prosecution is read: a database, or the dump of one.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `psh.sqlite` or `psh.dump` into `lenda`, `pala`, `akuza`, `vendimi`; children belong to their parents by id."""
    return read_files(files, contract)
