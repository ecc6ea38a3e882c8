"""How a delivery of the victim protection office is read: one JSON document.

Belongs here: what is specific to this institution's files. Everything else is done by `sources.readers`, as `contract.yaml` declares.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `zmnv.json` into the tables `viktimat`, `statusi`, `sherbimet` and `seancat`. An entry belongs to the file that encloses it in
    the document."""
    return read_files(files, contract)
