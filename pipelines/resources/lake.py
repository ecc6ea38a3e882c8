"""The lake: the outputs of the stages as Parquet files, `home/lake/<institution>/<stage>/<table>.parquet`.

Belongs here: converting the output of a stage to frames and back, writing it completely or not at all, and reading it. Does not belong
here: what the frames mean, Dagster (`lake_io`). The lake may be deleted at any time, since the next run computes it again.

An output is a dictionary of frames (`dict[str, DataFrame]`), a dataclass of frames and plain values, or a list of such dataclasses. Nothing
is pickled, so any tool can read a lake, and reading it runs no code. A large output is not kept in memory for the rest of a run; each stage
that reads it loads only the frames that it needs.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harmonia.atomic_files import link_or_copy_file
from pipelines.resources import encoded_texts, parquet

Frames = dict[str, pd.DataFrame]

# The memory pool of pyarrow does not return freed memory: that would be a fifth of the memory of a large step.
pa.set_memory_pool(pa.system_memory_pool())

ITEMS_FRAME = "_items"  # frame with one row for each dataclass: its plain values, and the columns and types of its frames
ITEM_COLUMN = "_item"  # column of every other frame: the row of `_items` to which a row belongs
_BATCH_ROWS = 250_000
MAX_SMALL_BYTES, MAX_SMALL_CELLS = 4_000_000, 4_000_000
"""The largest size of an output that stays in memory for the rest of a run: bytes in the lake, and number of values (some 15 bytes of
memory each). Both are limited, since repeated values take few bytes in the lake, but as much memory as other values."""


class _CachedFrames(Frames):
    """The frames of a folder with small files. Each frame is read when it is first used, and then kept in memory."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, name: str) -> pd.DataFrame:
        self[name] = frame = parquet.read_table(self.folder / f"{name}.parquet")
        return frame


class Tables(Mapping[str, pd.DataFrame]):
    """Frames by name. They are either in memory, or read from the folder of a stage on every access."""

    def __init__(
        self, source: Frames | Path, excluded_columns: Collection[str] = (), selected_columns: Mapping[str, Collection[str]] | None = None
    ) -> None:
        self._source, self._excluded, self._selected = source, excluded_columns, selected_columns
        folder = source.folder if isinstance(source, _CachedFrames) else source
        names = folder if isinstance(folder, dict) else sorted(path.stem for path in folder.glob("*.parquet"))
        self._names = tuple(name for name in names if selected_columns is None or name in selected_columns)

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return the frame called `name`. Raises `KeyError` if there is no such frame."""
        if name not in self._names:
            raise KeyError(name)
        source = self._source
        columns = [str(column) for column in source[name]] if isinstance(source, dict) else parquet.list_columns(self._get_file(name))
        selected = columns if self._selected is None else self._selected[name]
        return self.select_columns(name, [column for column in columns if column in selected and column not in self._excluded])

    def select_columns(self, name: str, columns: list[str]) -> pd.DataFrame:
        """Return some columns of the frame `name`."""
        return self._source[name][columns] if isinstance(self._source, dict) else parquet.read_table(self._get_file(name), columns)

    def select_columns_as_arrow(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Return some columns of the frame `name` as an Arrow table."""
        return (
            read_as_arrow(self._source, name, columns)
            if isinstance(self._source, dict)
            else pq.read_table(self._get_file(name), columns=list(columns))
        )

    def read_encoded_columns(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Return some columns of the frame `name`, with texts dictionary-encoded (`pipelines.resources.encoded_texts`)."""
        return (
            encoded_texts.encode_texts_of_frame(self._source[name][list(columns)])
            if isinstance(self._source, dict)
            else encoded_texts.read_encoded_table(self._get_file(name), columns)
        )

    def iterate_batches(self, name: str, rows: int, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows of the frame `name` in order, `rows` at a time. If `columns` is given, only these columns are read.

        A frame without rows gives one empty batch.
        """
        if isinstance(self._source, dict):
            frame = self._source[name] if columns is None else self._source[name][columns]
            yield from (frame.iloc[first : first + rows].reset_index(drop=True) for first in range(0, max(len(frame), 1), rows))
            return
        with pq.ParquetFile(self._get_file(name)) as file:
            batches = (pa.Table.from_batches([batch]) for batch in file.iter_batches(rows, columns=columns))
            for table in chain([first] if (first := next(batches, None)) else [file.read(columns)], batches):
                yield parquet.convert_arrow_to_frame(table)

    def count_rows(self) -> dict[str, int]:
        """Return the number of rows of each frame."""
        if isinstance(self._source, _CachedFrames | Path):
            return {name: pq.read_metadata(self._get_file(name)).num_rows for name in self._names}
        return {name: len(self._source[name]) for name in self._names}

    def open_for_duckdb(self, name: str) -> pd.DataFrame | ds.Dataset:
        """Return the frame `name`, with all its columns, in a form that DuckDB can query.

        A frame that is not in memory is not loaded as a whole.
        """
        return self._source[name] if isinstance(self._source, dict) else parquet.open_dataset([self._get_file(name)])

    def exclude_columns(self, columns: Collection[str]) -> Tables:
        """Return the same frames without `columns`."""
        return Tables(self._source, columns, self._selected)

    def restrict_to_columns(self, columns: Mapping[str, Collection[str]]) -> Tables:
        """Return only the frames that `columns` names, with only the columns that are listed there for each frame."""
        return Tables(self._source, self._excluded, columns)

    def _get_file(self, name: str) -> Path:
        folder = self._source.folder if isinstance(self._source, _CachedFrames) else self._source
        assert isinstance(folder, Path)
        return folder / f"{name}.parquet"

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_columns(tables: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return some columns of a frame of `tables`. The frame may be in the lake or in memory."""
    return tables.select_columns(name, list(columns)) if isinstance(tables, Tables) else tables[name][list(columns)]


def read_as_arrow(tables: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str]) -> pa.Table:
    """Return some columns of a frame of `tables` as an Arrow table. The frame may be in the lake or in memory."""
    return (
        tables.select_columns_as_arrow(name, columns)
        if isinstance(tables, Tables)
        else parquet.convert_frame_to_arrow(name, tables[name][list(columns)])
    )


def read_matching_rows(tables: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str], **values: str) -> pd.DataFrame:
    """Return the rows of a frame of `tables` in which the columns named in `values` have the values given there.

    Only the columns `columns` are read; they must include those that are compared.
    """
    parts = tables.iterate_batches(name, _BATCH_ROWS, list(columns)) if isinstance(tables, Tables) else iter([tables[name][list(columns)]])
    frames_ = [part[(part[list(values)] == pd.Series(values)).all(axis=1)] for part in parts]
    return pd.concat(frames_, ignore_index=True)


class StoredOutput:
    """An output of an asset that is already written to the folder of its stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


VERSION_FILE = "version.json"


@dataclasses.dataclass(frozen=True)
class DataVersion:
    """The data version of a stage's output: a hash of everything on which the output depends.

    `rows` is the number of rows that Dagster shows; None if it shows none.
    """

    version: str
    rows: int | None


@dataclasses.dataclass(frozen=True)
class VersionedOutput:
    """An output, together with the version that will be written into its folder."""

    value: Any
    version: DataVersion


def write_version(folder: Path, version: DataVersion) -> None:
    """Write the version of the output in `folder`."""
    partial = folder / f".{VERSION_FILE}.part"
    partial.write_text(json.dumps(dataclasses.asdict(version)), "utf-8")
    partial.replace(folder / VERSION_FILE)


def read_version(folder: Path) -> DataVersion | None:
    """Return the version of the output in `folder`; None if the version is missing or cannot be read."""
    try:
        return DataVersion(**json.loads((folder / VERSION_FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _split_dataclass_into_frames_and_values(value: Any) -> tuple[Frames, dict[str, Any]]:
    """Split a dataclass into its frames and its plain values.

    A frame is named `field`, or `field.key` if the field is a dictionary of frames. Plain values are named by their field.
    """
    frames: Frames = {}
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if isinstance(content, pd.DataFrame):
            frames[field.name] = content
        elif isinstance(content, Mapping) and content and all(isinstance(v, pd.DataFrame) for v in content.values()):
            frames |= {f"{field.name}.{key}": frame for key, frame in content.items()}
        else:
            plain[field.name] = content
    return frames, plain


def _convert_to_json_value(value: Any) -> Any:
    """Convert a value that JSON cannot encode: numpy numbers become numbers, missing values become null, everything else becomes text."""
    if isinstance(value, np.number):
        return value.item()
    return None if value is pd.NA else str(value)


def convert_value_to_frames(value: Any) -> Frames:
    """Convert the output of a stage to frames by name.

    The frames of a list of dataclasses are concatenated by name; the column `_item` says to which dataclass a row belongs.
    """
    if isinstance(value, Mapping):
        return dict(value)
    items = value if isinstance(value, Sequence) else [value]
    parts = [_split_dataclass_into_frames_and_values(item) for item in items]
    rows = [
        {
            "plain": json.dumps(plain, default=_convert_to_json_value),
            "dtypes": json.dumps({name: parquet.list_column_types(frame) for name, frame in frames.items()}),
        }
        for frames, plain in parts
    ]
    out: Frames = {ITEMS_FRAME: pd.DataFrame(rows, columns=["plain", "dtypes"], dtype="str")}
    for name in dict.fromkeys(name for frames, _ in parts for name in frames):
        numbered = [frames[name].assign(**{ITEM_COLUMN: i}) for i, (frames, _) in enumerate(parts) if name in frames]
        filled = [frame for frame in numbered if len(frame)]
        out[name] = pd.concat(filled, ignore_index=True) if filled else numbered[0]
    return out


def _build_dataclass(dataclass_type: Any, frames: Frames, plain: Mapping[str, Any]) -> Any:
    """Build a dataclass from its frames and its plain values, named as in `_split_dataclass_into_frames_and_values`."""
    hints = get_type_hints(dataclass_type)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(dataclass_type):
        if hints[field.name] is pd.DataFrame:
            values[field.name] = frames[field.name]
        elif field.name in plain:
            value = plain[field.name]
            values[field.name] = tuple(value) if get_origin(hints[field.name]) is tuple else value
        else:
            prefix = f"{field.name}."
            values[field.name] = {name.removeprefix(prefix): frame for name, frame in frames.items() if name.startswith(prefix)}
    return dataclass_type(**values)


def _sort_rows_by_item(frame: pd.DataFrame, items: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows sorted by dataclass (column `_item`), the position at which the rows of each begin, and the end of the last one."""
    item_of_row = frame[ITEM_COLUMN].to_numpy()
    if not frame[ITEM_COLUMN].is_monotonic_increasing:
        order = np.argsort(item_of_row, kind="stable")
        frame, item_of_row = frame.iloc[order], item_of_row[order]
    return frame, np.searchsorted(item_of_row, np.arange(items + 1))


def convert_frames_to_value(value_type: Any, frames: Frames) -> Any:
    """Convert frames made by `convert_value_to_frames` back to an output. `value_type` is `dict`, a dataclass, or a list of a dataclass."""
    if value_type is dict or get_origin(value_type) is dict:
        return frames
    item_type = get_args(value_type)[0] if get_origin(value_type) is list else value_type
    by_name = {name: _sort_rows_by_item(frame, len(frames[ITEMS_FRAME])) for name, frame in frames.items() if name != ITEMS_FRAME}
    values = []
    for i, row in enumerate(frames[ITEMS_FRAME].itertuples(index=False)):
        item_frames = {}
        for name, dtypes in json.loads(str(row.dtypes)).items():
            frame, starts = by_name[name]
            rows = frame.iloc[starts[i] : starts[i + 1]].reset_index(drop=True)
            item_frames[name] = rows[list(dtypes)].astype(
                {column: dtype for column, dtype in dtypes.items() if str(rows.dtypes[column]) != dtype}
            )
        values.append(_build_dataclass(item_type, item_frames, json.loads(str(row.plain))))
    return values if get_origin(value_type) is list else values[0]


def write_tables(folder: Path, frames: Mapping[str, pd.DataFrame | parquet.BatchStream | Path]) -> int:
    """Replace all tables in `folder` by `frames`; if an error occurs, replace none. Return the number of bytes written. Raises `OSError`.

    A `Path` in `frames` is a finished Parquet file that is never modified. It is linked instead of copied if the file system allows that.
    The caller must hold the run lock, since what killed runs left beside `folder` is removed.
    """
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    for leftover in (*folder.parent.glob(f".{folder.name}.*.part"), *folder.parent.glob(f".{folder.name}.*.old")):
        shutil.rmtree(leftover, ignore_errors=True)  # left by a killed run; only one run at a time writes here
    partial.mkdir(parents=True, mode=0o700)
    try:
        for name, frame in frames.items():
            if isinstance(frame, Path):
                link_or_copy_file(frame, partial / f"{name}.parquet")
            else:
                parquet.write_table(partial / f"{name}.parquet", frame)
        size = sum(path.stat().st_size for path in partial.iterdir())
        previous = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        if folder.exists():
            folder.rename(previous)
        partial.rename(folder)
        shutil.rmtree(previous, ignore_errors=True)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return size


def compute_size_of_tables(folder: Path) -> int:
    """Return the size of the tables in `folder` in bytes. Raises `FileNotFoundError` if the folder does not exist."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not in the lake: materialise the stage before it, or run everything")
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def are_tables_small(folder: Path) -> bool:
    """Return whether the tables in `folder` are small enough to stay in memory. Raises `FileNotFoundError` if the folder does not exist."""
    return compute_size_of_tables(folder) <= MAX_SMALL_BYTES and sum(map(_count_cells, folder.glob("*.parquet"))) <= MAX_SMALL_CELLS


def _count_cells(path: Path) -> int:
    metadata = pq.read_metadata(path)
    return int(metadata.num_rows * metadata.num_columns)


def read_tables(folder: Path) -> Frames:
    """Return the tables in `folder` by name, with the column types with which they were written.

    Raises `FileNotFoundError` if the folder does not exist.
    """
    compute_size_of_tables(folder)
    return {path.stem: parquet.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def open_stored_output(value_type: Any, folder: Path) -> Any:
    """Return the output of type `value_type` that is stored in `folder`.

    A dictionary of frames is returned as `Tables`. Its frames stay in memory if they are small.
    """
    if isinstance(value_type, type) and issubclass(value_type, StoredOutput):
        return value_type(folder)
    if value_type is dict:
        return Tables(_CachedFrames(folder) if are_tables_small(folder) else folder)
    return convert_frames_to_value(value_type, read_tables(folder))


class RunOutputs(Mapping[str, Any]):
    """The outputs of the assets of a run, by the asset's key (its parts are joined with `/`). Each is read from the lake on access."""

    def __init__(self, root: Path, keys: Sequence[str], value_types: Mapping[str, Any]) -> None:
        self._root, self._keys, self._shapes = root, tuple(keys), value_types

    def __getitem__(self, key: str) -> Any:
        """Return the output of the asset with this key. Raises `KeyError` if the run has no such asset."""
        if key not in self._keys:
            raise KeyError(key)
        return open_stored_output(self._shapes.get(key.rpartition("/")[2], dict), self._root / key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
