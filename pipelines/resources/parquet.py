"""Tables as Parquet files, which keep the column types of their frames. They are written at once or in batches.

Belongs here: converting frames to Arrow tables and back, reading and writing a file, reading several files as one. Does not belong here:
paths, replacing files (`lake`).
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
_CHUNKED_ROWS = 131_072  # with more rows, pyarrow reads a column in several chunks


_DTYPE_BY_ARROW_TYPE = {
    "string": "str",
    "int64": "Int64",
    "bool": "boolean",
    "double": "float64",
    "date32[day]": "datetime64[s]",
    "timestamp[s]": "datetime64[s]",
}
"""The pandas type for each Arrow type of a column, as in `schemas.canonical.conform` and `warehouse.tables.conform_frame`."""


class BatchStream(ABC):
    """A table that is too large for memory, read in batches. All batches have the column types of the first one."""

    @abstractmethod
    def __iter__(self) -> Iterator[pd.DataFrame | pa.Table]:
        """Yield the batches in order."""


def list_column_types(frame: pd.DataFrame) -> dict[str, str]:
    """Return the pandas type of each column, as text."""
    return {str(column): str(dtype) for column, dtype in frame.dtypes.items()}


def convert_frame_to_arrow(name: str, frame: pd.DataFrame | pa.Table) -> pa.Table:
    """Convert a frame to an Arrow table.

    If `name` is the name of a canonical table, the result has the declared types. Any other table has the types of the frame; a column with
    mixed types becomes text.
    """
    if isinstance(frame, pa.Table):
        types = {field.name: _DTYPE_BY_ARROW_TYPE[str(field.type).removeprefix("large_")] for field in frame.schema}
        return frame.replace_schema_metadata({_DTYPES: json.dumps(types).encode()})
    if name in canonical.TABLES and list(frame.columns) == [c.name for c in canonical.TABLES[name]]:
        table = pa.Table.from_pandas(frame, schema=canonical.arrow_schema(name), preserve_index=False)
    else:
        try:
            table = pa.Table.from_pandas(frame, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            mixed = list(frame.select_dtypes("object").columns)
            table = pa.Table.from_pandas(frame.astype(dict.fromkeys(mixed, "str")), preserve_index=False)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _DTYPES: json.dumps(list_column_types(frame)).encode()})


def write_table(path: Path, rows: pd.DataFrame | pa.Table | BatchStream) -> None:
    """Write one table to the file `path`. The file has checksums, so that damage is noticed when later runs read it."""
    parts = map(partial(convert_frame_to_arrow, path.stem), rows if isinstance(rows, BatchStream) else [rows])
    first = next(parts)
    with pq.ParquetWriter(path, first.schema, compression="zstd", compression_level=1, write_page_checksum=True) as writer:
        for part in chain([first], parts):
            writer.write_table(part.cast(first.schema))


def open_dataset(paths: list[Path]) -> ds.Dataset:
    """Open the tables at `paths` as one dataset. DuckDB reads only those parts of it that a query needs."""
    return ds.dataset([str(path) for path in paths], format="parquet")


def list_columns(path: Path) -> list[str]:
    """List the columns of the table at `path`."""
    return list(json.loads(pq.read_schema(path).metadata[_DTYPES]))


def read_table(path: Path | bytes, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table, or some of its columns, with the types of the frame that was written.

    `path` is the path of the file, or its content. It cannot be an open Python file, since Arrow would then abort some processes at exit
    (arrow#34314).
    """
    if columns != [] and isinstance(path, Path) and (file_metadata := pq.read_metadata(path)).num_rows > _CHUNKED_ROWS:
        return convert_arrow_to_frame(_read_contiguous(path, file_metadata.schema.to_arrow_schema(), columns))
    return convert_arrow_to_frame(pq.read_table(pa.BufferReader(path) if isinstance(path, bytes) else path, columns=columns))


def concatenate_arrow_tables(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Concatenate tables of the lake that have the same columns to one frame. If all are empty, the result is the first one."""
    filled = [table for table in tables if len(table)] or list(tables[:1])
    dtypes = [json.loads(table.schema.metadata[_DTYPES]) for table in filled]
    if any(t.schema != filled[0].schema or any(d[c] != dtypes[0][c] for c in t.column_names) for t, d in zip(filled, dtypes, strict=True)):
        frames = [convert_arrow_to_frame(table) for table in filled]
        return pd.concat(frames, ignore_index=True)
    table = pa.concat_tables(filled)
    del filled, tables
    for index in range(table.num_columns):
        table = table.set_column(index, table.field(index), table.column(index).combine_chunks())
    return convert_arrow_to_frame(table)


def _read_contiguous(path: Path, schema: pa.Schema, columns: list[str] | None) -> pa.Table:
    """Read a long table so that each column is in one piece. Otherwise, taking a few rows of a column would cost as much as copying it.

    Columns are read one after the other, so that only one of them is in memory twice.
    """
    fields = [schema.field(name) for name in (schema.names if columns is None else columns)]
    arrays = [pq.read_table(path, columns=[field.name]).column(0).combine_chunks() for field in fields]
    return pa.table(arrays, schema=pa.schema(fields, metadata=schema.metadata))


def convert_arrow_to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert an Arrow table to a frame with the types of the frame that was written."""
    dtypes = json.loads((table.schema.metadata or {})[_DTYPES])
    return table.to_pandas(date_as_object=False).astype({name: dtypes[name] for name in table.column_names})
