"""The lake: the outputs of the stages, as Parquet under `home/lake/<institution>/<stage>/<table>.parquet`.

Belongs here: the layout of a stage's value in frames and back, writing it as a whole or not at all, reading it. Does not belong here: what
the frames mean, Dagster (`lake_io`). The lake is derived: it may be deleted at any time, and the next run writes it again.

A value is a dictionary of frames (`dict[str, DataFrame]`), a dataclass of frames and plain values, or a list of such dataclasses. There is
no pickle: any tool can read a lake, and reading it runs no code. A large value is not kept in memory for the rest of a run: each reader
loads the frames that it needs.
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

from harmonia.swap import share
from pipelines.resources import coded, parquet

Frames = dict[str, pd.DataFrame]

# What pyarrow's own pool has freed it mostly keeps: a fifth of what a large step holds.
pa.set_memory_pool(pa.system_memory_pool())

ITEMS = "_items"  # one row per dataclass: its plain values, and the columns and types that its frames had
ITEM = "_item"  # which row of `_items` a row of a frame belongs to
_AT_A_TIME = 250_000  # rows
LIGHT, LIGHT_CELLS = 4_000_000, 4_000_000
"""Bytes in the lake, and cells (some 15 bytes of memory each), up to which a value is held for the rest of a run. Cells that repeat take
hardly any bytes in the lake, and as many as any in memory."""


class _Light(Frames):
    """The frames of a light folder, each read when it is first asked for, and held from then on."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, name: str) -> pd.DataFrame:
        self[name] = frame = parquet.read_table(self.folder / f"{name}.parquet")
        return frame


class Tables(Mapping[str, pd.DataFrame]):
    """Frames by name: held, or read from a stage's folder each time that one is asked for."""

    def __init__(self, held: Frames | Path, without: Collection[str] = (), only: Mapping[str, Collection[str]] | None = None) -> None:
        self._held, self._without, self._only = held, without, only
        folder = held.folder if isinstance(held, _Light) else held
        names = folder if isinstance(folder, dict) else sorted(path.stem for path in folder.glob("*.parquet"))
        self._names = tuple(name for name in names if only is None or name in only)

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The frame. Raises `KeyError` for one that is not there."""
        if name not in self._names:
            raise KeyError(name)
        held = self._held
        columns = [str(column) for column in held[name]] if isinstance(held, dict) else parquet.columns_of(self._file(name))
        wanted = columns if self._only is None else self._only[name]
        return self.some(name, [column for column in columns if column in wanted and column not in self._without])

    def some(self, name: str, columns: list[str]) -> pd.DataFrame:
        """Some columns of a frame."""
        return self._held[name][columns] if isinstance(self._held, dict) else parquet.read_table(self._file(name), columns)

    def as_arrow(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Some columns of a frame, as they lie there."""
        return (
            as_arrow(self._held, name, columns) if isinstance(self._held, dict) else pq.read_table(self._file(name), columns=list(columns))
        )

    def coded(self, name: str, columns: Sequence[str]) -> pa.Table:
        """Some columns of a frame, their texts as numbers (`pipelines.resources.coded`)."""
        return coded.of_frame(self._held[name][list(columns)]) if isinstance(self._held, dict) else coded.of_file(self._file(name), columns)

    def parts(self, name: str, rows: int, columns: list[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows of a frame, or some of its columns, in their order, so many at a time; once, where there are none."""
        if isinstance(self._held, dict):
            frame = self._held[name] if columns is None else self._held[name][columns]
            yield from (frame.iloc[first : first + rows].reset_index(drop=True) for first in range(0, max(len(frame), 1), rows))
            return
        with pq.ParquetFile(self._file(name)) as file:
            batches = (pa.Table.from_batches([batch]) for batch in file.iter_batches(rows, columns=columns))
            for table in chain([first] if (first := next(batches, None)) else [file.read(columns)], batches):
                yield parquet.framed(table)

    def rows(self) -> dict[str, int]:
        """How many rows every frame has."""
        if isinstance(self._held, _Light | Path):
            return {name: pq.read_metadata(self._file(name)).num_rows for name in self._names}
        return {name: len(self._held[name]) for name in self._names}

    def scan(self, name: str) -> pd.DataFrame | ds.Dataset:
        """What DuckDB reads as the frame (all its columns), without its being read as a whole where it is not held."""
        return self._held[name] if isinstance(self._held, dict) else parquet.scanned([self._file(name)])

    def without(self, columns: Collection[str]) -> Tables:
        """The same frames without these columns."""
        return Tables(self._held, columns, self._only)

    def only(self, columns: Mapping[str, Collection[str]]) -> Tables:
        """Some of the frames, with these columns and no others."""
        return Tables(self._held, self._without, columns)

    def _file(self, name: str) -> Path:
        folder = self._held.folder if isinstance(self._held, _Light) else self._held
        assert isinstance(folder, Path)
        return folder / f"{name}.parquet"

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def some(tables: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a frame of `tables`, whether these are in the lake or not."""
    return tables.some(name, list(columns)) if isinstance(tables, Tables) else tables[name][list(columns)]


def as_arrow(tables: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str]) -> pa.Table:
    """Some columns of a frame of `tables` in Arrow, whether these are in the lake or not."""
    return tables.as_arrow(name, columns) if isinstance(tables, Tables) else parquet.to_arrow(name, tables[name][list(columns)])


def matching(tables: Mapping[str, pd.DataFrame], name: str, columns: Sequence[str], **values: str) -> pd.DataFrame:
    """The rows of a frame of `tables` that have these `values`, with some of their columns."""
    parts = tables.parts(name, _AT_A_TIME, list(columns)) if isinstance(tables, Tables) else iter([tables[name][list(columns)]])
    held = [part[(part[list(values)] == pd.Series(values)).all(axis=1)] for part in parts]
    return pd.concat(held, ignore_index=True)


class Kept:
    """A value that has written itself into its stage's folder and is opened from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


VERSION = "version.json"


@dataclasses.dataclass(frozen=True)
class Version:
    """What a stage's output hangs on, as one text, and how many rows it was said to have."""

    version: str
    rows: int | None


@dataclasses.dataclass(frozen=True)
class Versioned:
    """A value with the version that is kept beside it once it is written."""

    value: Any
    version: Version


def keep_version(folder: Path, version: Version) -> None:
    """Keep the version of what lies in `folder`."""
    fresh = folder / f".{VERSION}.part"
    fresh.write_text(json.dumps(dataclasses.asdict(version)), "utf-8")
    fresh.replace(folder / VERSION)


def version_of(folder: Path) -> Version | None:
    """The version of what lies in `folder`; None where none is kept, or it cannot be read."""
    try:
        return Version(**json.loads((folder / VERSION).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _parts(value: Any) -> tuple[Frames, dict[str, Any]]:
    """Frames (by `field` or `field.key`) and plain values of one dataclass."""
    frames: Frames = {}
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        if isinstance(held, pd.DataFrame):
            frames[field.name] = held
        elif isinstance(held, Mapping) and held and all(isinstance(v, pd.DataFrame) for v in held.values()):
            frames |= {f"{field.name}.{key}": frame for key, frame in held.items()}
        else:
            plain[field.name] = held
    return frames, plain


def _plain(value: Any) -> Any:
    """A value that JSON does not know: numbers of numpy stay numbers, nothing stays nothing, everything else is text."""
    if isinstance(value, np.number):
        return value.item()
    return None if value is pd.NA else str(value)


def pack(value: Any) -> Frames:
    """Lay out a stage's value in frames. A list of dataclasses becomes one frame per name over all of them, with column `_item`."""
    if isinstance(value, Mapping):
        return dict(value)
    items = value if isinstance(value, Sequence) else [value]
    parts = [_parts(item) for item in items]
    rows = [
        {"plain": json.dumps(plain, default=_plain), "dtypes": json.dumps({name: parquet.dtypes(frame) for name, frame in frames.items()})}
        for frames, plain in parts
    ]
    out: Frames = {ITEMS: pd.DataFrame(rows, columns=["plain", "dtypes"], dtype="str")}
    for name in dict.fromkeys(name for frames, _ in parts for name in frames):
        held = [frames[name].assign(**{ITEM: i}) for i, (frames, _) in enumerate(parts) if name in frames]
        filled = [frame for frame in held if len(frame)]
        out[name] = pd.concat(filled, ignore_index=True) if filled else held[0]
    return out


def _build(shape: Any, frames: Frames, plain: Mapping[str, Any]) -> Any:
    hints = get_type_hints(shape)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(shape):
        if hints[field.name] is pd.DataFrame:
            values[field.name] = frames[field.name]
        elif field.name in plain:
            value = plain[field.name]
            values[field.name] = tuple(value) if get_origin(hints[field.name]) is tuple else value
        else:
            prefix = f"{field.name}."
            values[field.name] = {name.removeprefix(prefix): frame for name, frame in frames.items() if name.startswith(prefix)}
    return shape(**values)


def _by_item(frame: pd.DataFrame, items: int) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows item by item, and where those of each begin (and the last end)."""
    whose = frame[ITEM].to_numpy()
    if not frame[ITEM].is_monotonic_increasing:
        order = np.argsort(whose, kind="stable")
        frame, whose = frame.iloc[order], whose[order]
    return frame, np.searchsorted(whose, np.arange(items + 1))


def unpack(shape: Any, frames: Frames) -> Any:
    """The value that `pack` laid out. `shape` is `dict`, a dataclass, or `list[dataclass]`."""
    if shape is dict or get_origin(shape) is dict:
        return frames
    one = get_args(shape)[0] if get_origin(shape) is list else shape
    of = {name: _by_item(frame, len(frames[ITEMS])) for name, frame in frames.items() if name != ITEMS}
    found = []
    for i, row in enumerate(frames[ITEMS].itertuples(index=False)):
        held = {}
        for name, dtypes in json.loads(str(row.dtypes)).items():
            frame, begins = of[name]
            own = frame.iloc[begins[i] : begins[i + 1]].reset_index(drop=True)
            held[name] = own[list(dtypes)].astype({column: dtype for column, dtype in dtypes.items() if str(own.dtypes[column]) != dtype})
        found.append(_build(one, held, json.loads(str(row.plain))))
    return found if get_origin(shape) is list else found[0]


def write(folder: Path, frames: Mapping[str, pd.DataFrame | parquet.Stream | Path]) -> int:
    """Replace the tables in `folder` by `frames`, all or none; a `Path` is one that lies ready as Parquet, never to be written into, and is
    shared, not copied, where the file system can. Returns the bytes written; raises `OSError`.

    Call it under the run lock: what killed runs left beside `folder` goes.
    """
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    for left in (*folder.parent.glob(f".{folder.name}.*.part"), *folder.parent.glob(f".{folder.name}.*.old")):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed; one run at a time writes here
    fresh.mkdir(parents=True, mode=0o700)
    try:
        for name, frame in frames.items():
            if isinstance(frame, Path):
                share(frame, fresh / f"{name}.parquet")
            else:
                parquet.write_table(fresh / f"{name}.parquet", frame)
        size = sum(path.stat().st_size for path in fresh.iterdir())
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return size


def size(folder: Path) -> int:
    """Bytes of the tables in `folder`. Raises `FileNotFoundError` where there are none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not in the lake: materialise the stage before it, or run everything")
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def light(folder: Path) -> bool:
    """Whether the tables in `folder` are few enough to be held. Raises `FileNotFoundError` where there are none."""
    return size(folder) <= LIGHT and sum(map(_cells, folder.glob("*.parquet"))) <= LIGHT_CELLS


def _cells(path: Path) -> int:
    about = pq.read_metadata(path)
    return int(about.num_rows * about.num_columns)


def read(folder: Path) -> Frames:
    """The tables in `folder`, with the types that they were written with. Raises `FileNotFoundError` where there are none."""
    size(folder)
    return {path.stem: parquet.read_table(path) for path in sorted(folder.glob("*.parquet"))}


def opened(shape: Any, folder: Path) -> Any:
    """The value of shape `shape` that lies in `folder`; frames by name as `Tables`, read at once where they are light."""
    if isinstance(shape, type) and issubclass(shape, Kept):
        return shape(folder)
    if shape is dict:
        return Tables(_Light(folder) if light(folder) else folder)
    return unpack(shape, read(folder))


class Made(Mapping[str, Any]):
    """What every asset of a run made, by key joined with `/`, each read from the lake when it is asked for."""

    def __init__(self, root: Path, keys: Sequence[str], shapes: Mapping[str, Any]) -> None:
        self._root, self._keys, self._shapes = root, tuple(keys), shapes

    def __getitem__(self, key: str) -> Any:
        """The value. Raises `KeyError` for an asset that is none of the run's."""
        if key not in self._keys:
            raise KeyError(key)
        return opened(self._shapes.get(key.rpartition("/")[2], dict), self._root / key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
