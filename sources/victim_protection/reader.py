"""How a delivery of the victim protection office is read: one JSON document.

Belongs here: what is specific to this institution's files. The rest is in `sources.readers`, driven by `contract.yaml`.
"""

from __future__ import annotations

from sources.contract import Contract
from sources.readers.delivery import read_files
from sources.readers.result import ReadResult, SourceFile


def read(files: list[SourceFile], contract: Contract) -> ReadResult:
    """Read `zmnv.json` into tables `viktimat`, `statusi`, `sherbimet`, `seancat`; entries belong to the file around them."""
    return read_files(files, contract)
