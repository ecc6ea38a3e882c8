"""How a delivery of the prosecution is read: a database, or the dump of a database.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `psh.sqlite` or `psh.dump` into the tables `lenda`, `pala`, `akuza` and `vendimi`. Each row of a child table contains the id of
    its parent row."""
    return read_files(files, contract)
