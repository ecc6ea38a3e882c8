"""The reading of a delivery as one file, kept in the landing store in place of bytes that had to go.

Belongs here: its form, writing and loading it. Does not belong here: what is left out of it (`rows`).

A zip of Parquet tables (`pipelines.resources.lake.pack`): what the reader made of the files, rows, positions and findings, without the
person's values. Where it stands for a delivery, the delivery is not read again: a later reader does not see the bytes.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.resources import lake, parquet
from sources.readers.result import ReadResult

_MADE = (1980, 1, 1, 0, 0, 0)  # the same reading gives the same bytes


def dump(result: ReadResult) -> bytes:
    """The reading as bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, frame in sorted(lake.pack(result).items()):
            table = io.BytesIO()
            pq.write_table(parquet.to_arrow(name, frame), table, compression="zstd")
            archive.writestr(zipfile.ZipInfo(f"{name}.parquet", _MADE), table.getvalue())
    return out.getvalue()


def load(path: Path) -> ReadResult:
    """The reading in a landed file."""
    with zipfile.ZipFile(path) as archive:
        frames = {name.removesuffix(".parquet"): parquet.read_table(archive.read(name)) for name in archive.namelist()}
    found: ReadResult = lake.unpack(ReadResult, frames)
    return found
