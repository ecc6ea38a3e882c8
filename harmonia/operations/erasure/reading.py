"""A redacted reading: one file with what was read of a delivery, without a person's values. It replaces the removed files.

Belongs here: its format, writing and loading. Does not belong here: removing the values (`rows`).

The file is a zip archive of Parquet tables (`pipelines.resources.lake.convert_value_to_frames`) with the rows, positions and findings of
the delivery. If a delivery has a redacted reading, its original files are not read again.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.resources import lake, parquet
from sources.readers.result import ReadResult

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same reading gives the same bytes


def pack_redacted_reading(read_result: ReadResult) -> bytes:
    """Convert what was read of a delivery to the bytes of a redacted reading."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, frame in sorted(lake.convert_value_to_frames(read_result).items()):
            table = io.BytesIO()
            pq.write_table(parquet.convert_frame_to_arrow(name, frame), table, compression="zstd")
            archive.writestr(zipfile.ZipInfo(f"{name}.parquet", _FIXED_TIME), table.getvalue())
    return out.getvalue()


def load_redacted_reading(path: Path) -> ReadResult:
    """Read the file of a redacted reading. Returns what was read of the delivery."""
    with zipfile.ZipFile(path) as archive:
        frames = {name.removesuffix(".parquet"): parquet.read_table(archive.read(name)) for name in archive.namelist()}
    result: ReadResult = lake.convert_frames_to_value(ReadResult, frames)
    return result
