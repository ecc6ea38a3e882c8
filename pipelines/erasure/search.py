"""Search for a person in files: text in any encoding, archives, workbooks, Parquet and database files.

Does not belong here: the values to search for (`person`), removing files.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.erasure.person import Person

CODES = ("utf-8", "cp1250", "utf-16-le", "cp852", "mac-croatian")  # encodings of known deliveries
_LARGEST = 1 << 30  # bytes; larger members of an archive are not searched
_ROWS = 50_000


def left(home: Path, person: Person) -> list[str]:
    """Paths of the files below `home` in which the person is found."""
    return [str(path.relative_to(home)) for path in sorted(home.rglob("*")) if path.is_file() and holds(path, person)]


def holds(path: Path, person: Person) -> bool:
    """Whether a file contains a number or the names of the person."""
    if path.suffix == ".duckdb":
        return any(frame_holds(frame, person) for frame in _database(path))
    return _holds(path.read_bytes(), person)


def _holds(content: bytes, person: Person) -> bool:
    if content.startswith(b"PAR1"):
        return any(frame_holds(batch.to_pandas(), person) for batch in _parquet(content))
    if content.startswith(b"PK\x03\x04"):
        return _archive_holds(content, person)
    return any(person.is_near(content.decode(code, "replace")) for code in CODES)


def _archive_holds(content: bytes, person: Person) -> bool:
    """A workbook stores each text once, outside its row: names found anywhere in one member count as a match."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [archive.read(one) for one in archive.infolist() if one.file_size <= _LARGEST]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return person.is_near(content.decode("utf-8", "replace"))
    return any(
        _holds(one, person) if one[:4] in (b"PAR1", b"PK\x03\x04") else person.is_in(one.decode("utf-8", "replace")) for one in members
    )


def _parquet(content: bytes) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(pa.BufferReader(content)).iter_batches(_ROWS)


def _database(path: Path) -> Iterator[pd.DataFrame]:
    with duckdb.connect(str(path), read_only=True) as connection:
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            for batch in connection.sql(f'FROM "{name}"').to_arrow_reader(_ROWS):
                yield batch.to_pandas()


def frame_holds(frame: pd.DataFrame, person: Person) -> bool:
    """Whether a row of a table contains a number or the names of the person."""
    texts = frame.select_dtypes(include=["object", "str"])
    if texts.empty:
        return False
    one = texts.map(_text).agg(" ".join, axis=1)
    return any(person.is_in(row) for row in one.unique())


def _text(cell: object) -> str:
    """A cell as text; bytes are decoded as cp1250."""
    return cell.decode("cp1250", "replace") if isinstance(cell, bytes) else "" if cell is None or cell is pd.NA else str(cell)
