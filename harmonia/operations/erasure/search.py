"""Search files for a person: texts in any encoding, archives, workbooks, Parquet files and databases.

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

from harmonia.operations.erasure.person import PersonToErase

ENCODINGS = ("utf-8", "cp1250", "utf-16-le", "cp852", "mac-croatian")  # encodings of known deliveries
_MAX_MEMBER_SIZE = 1 << 30  # bytes; larger members of an archive are not searched
_BATCH_ROWS = 50_000


def list_files_of_home(home: Path) -> list[Path]:
    """List the files below `home`, all of which are searched."""
    return [path for path in sorted(home.rglob("*")) if path.is_file()]


def find_files_naming_person(home: Path, person: PersonToErase) -> list[str]:
    """Return the paths of the files below `home` in which the person is found."""
    return [str(path.relative_to(home)) for path in list_files_of_home(home) if file_contains_person(path, person)]


def file_contains_person(path: Path, person: PersonToErase) -> bool:
    """Return whether a file contains a personal number or the names of the person."""
    if path.suffix == ".duckdb":
        return any(frame_contains_person(frame, person) for frame in _read_database_batches(path))
    return _bytes_contain_person(path.read_bytes(), person)


def _bytes_contain_person(content: bytes, person: PersonToErase) -> bool:
    if content.startswith(b"PAR1"):
        return any(frame_contains_person(batch.to_pandas(), person) for batch in _read_parquet_batches(content))
    if content.startswith(b"PK\x03\x04"):
        return _archive_contains_person(content, person)
    return any(person.occurs_in_text(content.decode(encoding, "replace")) for encoding in ENCODINGS)


def _archive_contains_person(content: bytes, person: PersonToErase) -> bool:
    """Return whether an archive or workbook contains the person.

    A workbook stores each text once, and not within its row. So the person counts as found if all names are somewhere in one of the files
    inside the workbook.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [archive.read(member) for member in archive.infolist() if member.file_size <= _MAX_MEMBER_SIZE]
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return person.occurs_in_text(content.decode("utf-8", "replace"))
    return any(
        _bytes_contain_person(member, person)
        if member[:4] in (b"PAR1", b"PK\x03\x04")
        else person.occurs_in_row(member.decode("utf-8", "replace"))
        for member in members
    )


def _read_parquet_batches(content: bytes) -> Iterator[pa.RecordBatch]:
    yield from pq.ParquetFile(pa.BufferReader(content)).iter_batches(_BATCH_ROWS)


def _read_database_batches(path: Path) -> Iterator[pd.DataFrame]:
    with duckdb.connect(str(path), read_only=True) as connection:
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            for batch in connection.sql(f'FROM "{name}"').to_arrow_reader(_BATCH_ROWS):
                yield batch.to_pandas()


def frame_contains_person(frame: pd.DataFrame, person: PersonToErase) -> bool:
    """Return whether a row of a table contains a personal number or the names of the person."""
    texts = frame.select_dtypes(include=["object", "str"])
    if texts.empty:
        return False
    rows = texts.map(_convert_cell_to_text).agg(" ".join, axis=1)
    return any(person.occurs_in_row(row) for row in rows.unique())


def _convert_cell_to_text(cell: object) -> str:
    """Convert a cell to text; bytes are decoded as cp1250."""
    return cell.decode("cp1250", "replace") if isinstance(cell, bytes) else "" if cell is None or cell is pd.NA else str(cell)
