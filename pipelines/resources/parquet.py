"""A table as a Parquet file with the column types of its frame, written at once or in batches.

Belongs here: frames to Arrow and back, reading and writing a file, reading several as one. Does not belong here: paths and replacement
(`lake`).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from schemas import canonical

_DTYPES = b"harmonia.dtypes"
_IN_PIECES = 131_072  # rows from which on pyarrow reads a column in several pieces


_OF_ARROW = {
    "string": "str",
    "int64": "Int64",
    "bool": "boolean",
    "double": "float64",
    "date32[day]": "datetime64[s]",
    "timestamp[s]": "datetime64[s]",
}
"""With which types a table that was never a frame is read: those of `schemas.canonical.conform` and `warehouse.tables.conform`."""


class Stream(ABC):
    """Rows of one table that are too many to be held: some at a time, all with the types of the first."""

    @abstractmethod
    def __iter__(self) -> Iterator[pd.DataFrame | pa.Table]:
        """The rows, one part below the other."""


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    """The type of each column, as text."""
    return {str(column): str(dtype) for column, dtype in frame.dtypes.items()}


def to_arrow(name: str, frame: pd.DataFrame | pa.Table) -> pa.Table:
    """As an Arrow table: the declared schema for a canonical table, else the frame's own types; a column of mixed objects as text."""
    if isinstance(frame, pa.Table):
        types = {field.name: _OF_ARROW[str(field.type).removeprefix("large_")] for field in frame.schema}
        return frame.replace_schema_metadata({_DTYPES: json.dumps(types).encode()})
    if name in canonical.TABLES and list(frame.columns) == [c.name for c in canonical.TABLES[name]]:
        table = pa.Table.from_pandas(frame, schema=canonical.arrow_schema(name), preserve_index=False)
    else:
        try:
            table = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            mixed = list(frame.select_dtypes("object").columns)
            table = pa.Table.from_pandas(frame.astype(dict.fromkeys(mixed, "str")), preserve_index=False)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _DTYPES: json.dumps(dtypes(frame)).encode()})


def write_table(path: Path, rows: pd.DataFrame | pa.Table | Stream) -> None:
    """Write one table. Its pages bear checksums, for whoever takes up again what another run wrote."""
    parts = map(partial(to_arrow, path.stem), rows if isinstance(rows, Stream) else [rows])
    first = next(parts)
    with pq.ParquetWriter(path, first.schema, compression="zstd", compression_level=1, write_page_checksum=True) as writer:
        for part in chain([first], parts):
            writer.write_table(part.cast(first.schema))


def scanned(paths: list[Path]) -> ds.Dataset:
    """The rows of the tables at `paths`, one below the other, for DuckDB to read what it needs of them."""
    return ds.dataset([str(path) for path in paths], format="parquet")


def columns_of(path: Path) -> list[str]:
    """The columns of a table."""
    return list(json.loads(pq.read_schema(path).metadata[_DTYPES]))


def read_table(path: Path | bytes, columns: list[str] | None = None) -> pd.DataFrame:
    """One table, or some of its columns, with the types that it was written with. path: or the content of the file, which is not read
    through a file object of Python's: Arrow then aborts some processes as they end (arrow#34314)."""
    if columns != [] and isinstance(path, Path) and (said := pq.read_metadata(path)).num_rows > _IN_PIECES:
        return framed(_in_one_piece(path, said.schema.to_arrow_schema(), columns))
    return framed(pq.read_table(pa.BufferReader(path) if isinstance(path, bytes) else path, columns=columns))


def below(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Tables as they were read from the lake, with the same columns, one below the other as a frame; of empty ones the first."""
    filled = [table for table in tables if len(table)] or list(tables[:1])
    dtypes = [json.loads(table.schema.metadata[_DTYPES]) for table in filled]
    if any(t.schema != filled[0].schema or any(d[c] != dtypes[0][c] for c in t.column_names) for t, d in zip(filled, dtypes, strict=True)):
        frames = [framed(table) for table in filled]
        return pd.concat(frames, ignore_index=True)
    table = pa.concat_tables(filled)
    del filled, tables
    for n in range(table.num_columns):
        table = table.set_column(n, table.field(n), table.column(n).combine_chunks())
    return framed(table)


def _in_one_piece(path: Path, schema: pa.Schema, columns: list[str] | None) -> pa.Table:
    """A long table with each column in one piece: of a column in many, taking a few rows costs as much as copying it. A column at a time,
    so that none but one is held twice."""
    fields = [schema.field(name) for name in (schema.names if columns is None else columns)]
    whole = [pq.read_table(path, columns=[field.name]).column(0).combine_chunks() for field in fields]
    return pa.table(whole, schema=pa.schema(fields, metadata=schema.metadata))


def framed(table: pa.Table) -> pd.DataFrame:
    """As a frame with the types that it was written with."""
    dtypes = json.loads((table.schema.metadata or {})[_DTYPES])
    return table.to_pandas(date_as_object=False).astype({name: dtypes[name] for name in table.column_names})
