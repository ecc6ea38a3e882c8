"""How a delivery of the centres for social work is read: two delimited files, files of victims and their services.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `persona.csv` and `sherbimet.csv` into tables `persona` and `sherbimet`; a service belongs to a file by `Nr_QPS`."""
    return read_files(files, contract)
