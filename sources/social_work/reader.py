"""How a delivery of the centres for social work is read: two delimited files, one with victims' files and one with services.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `persona.csv` and `sherbimet.csv` into the tables `persona` and `sherbimet`. The column `Nr_QPS` of a service is the number of
    the file."""
    return read_files(files, contract)
