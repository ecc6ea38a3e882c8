"""The output of a stage by delivery, stored in the lake, so that the next run processes new deliveries only.

Belongs here: frames by delivery and key, in few files, and which of them are current. Does not belong here: what the frames mean, what a
key contains (`key_of`). A stored part is used again only if its key is the same.

The stage's folder holds numbered folders of Parquet. Each is written as a whole and holds parts of one or more deliveries. A run adds one;
two neighbours are merged when the newer has grown to the size of the older, so that there are never many. `manifest.json` lists the current
parts in order. Everything here may be deleted at any time: the next run makes it again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.resources import code, lake, parquet
from pipelines.resources.lake import Frames, Kept

WHOSE = "_portion"  # column of every frame kept: the delivery that a row belongs to
_INDEX, MANIFEST = "_index", "manifest.json"
_MOST_ROWS = 200_000  # folders that would hold more together are left apart, so that memory does not grow with history
_CODE = ("sources", "schemas", "pipelines/validation", "pipelines/harmonisation")
_LIBRARIES = ("pandas", "pandera", "pyarrow", "python-calamine", "openpyxl", "lxml", "rapidfuzz")
_Held = tuple[Path, pd.DataFrame, pd.DataFrame]  # a folder, its index, and the part of the index that is asked for


def _every(*_: str) -> bool:
    return True


def code_version() -> str:
    """Of what turns bytes into judged rows: readers, contracts, rules, code lists, validation, harmonising, and their libraries."""
    return code.digest(_CODE, _LIBRARIES)


def key_of(receipt: str, incomplete: bool) -> str:
    """The key of what is made of a delivery's bytes alone. receipt: see `pipelines.landing.LandedDelivery`."""
    return hashlib.sha256(f"{receipt} {incomplete} {code_version()}".encode()).hexdigest()


class DeliveryStore(Kept):
    """The portions of one stage, see above. `manifest`: delivery -> key of those that stand, in their order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        stands = folder / MANIFEST
        self.manifest: dict[str, str] = json.loads(stands.read_text()) if stands.exists() else {}

    def missing(self, wanted: Mapping[str, str]) -> list[str]:
        """Deliveries of `wanted` (delivery -> key) of which no portion with that key is kept."""
        there = {(d, k) for _, index in self._parts() for d, k in zip(index["delivery"], index["key"], strict=True)}
        return [delivery for delivery, key in wanted.items() if (delivery, key) not in there]

    def add(self, keys: Mapping[str, str], frames: Frames, number: int | None = None) -> None:
        """Keep portions: every frame has its delivery in `WHOSE`; `keys`: delivery -> key, also of those without a row.

        number: of their folder (`free` or above), where several processes add at a time.
        """
        index = pd.DataFrame({"delivery": list(keys), "key": list(keys.values())}, dtype="str")
        rows = sum(map(len, frames.values()))
        self._write({**frames, _INDEX: index.assign(rows=rows)}, number)

    def free(self) -> int:
        """The number from which on no folder is there."""
        return max((int(path.name) for path in self._folders()), default=0) + 1

    def drop(self, number: int) -> None:
        """Remove the folder with this number, whole or half."""
        for path in (*self.folder.glob(f"{number:06}"), *self.folder.glob(f".{number:06}.*")):
            shutil.rmtree(path)

    def settle(self, wanted: Mapping[str, str]) -> None:
        """Say that `wanted` stands, in this order; forget other portions where that is free, and put small folders together."""
        self.manifest = dict(wanted)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in [*self.folder.glob(".*.part"), *self.folder.glob(".*.old"), *self.folder.glob("*.parquet")]:  # of a run that was killed
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path, index in self._parts():
            if not self._standing(index).any():
                _drop(path)
        self._tidy()
        fresh = self.folder / f".{MANIFEST}.part"
        fresh.write_text(json.dumps(self.manifest))
        fresh.replace(self.folder / MANIFEST)

    def load(self, names: Callable[[str], bool] = _every, columns: Callable[[str, str], bool] = _every) -> Frames:
        """The frames that stand, rows in the order of the deliveries, without `WHOSE`.

        names: which frames are wanted; columns: which of their columns (frame, column). Raises `FileNotFoundError` where some are gone.
        """
        held = self._all_held()
        out: Frames = {}
        for name in dict.fromkeys(file.stem for path, _, _ in held for file in _files(path, names)):
            parts, turn = self._parts_of(name, held, columns)
            frame = parquet.below(parts)
            out[name] = frame if _ascending(turn) else frame.iloc[turn.argsort(kind="stable")].reset_index(drop=True)
        return out

    def table(self, name: str) -> pa.Table | None:
        """One frame as `load` gives it, as it lies there; None where nothing stands. Raises `FileNotFoundError` where some is gone."""
        parts, turn = self._parts_of(name, self._all_held(), _every)
        if not parts:
            return None
        whole = pa.concat_tables(parts, promote_options="permissive")
        return whole if _ascending(turn) else whole.take(turn.argsort(kind="stable"))

    def _all_held(self) -> list[_Held]:
        held = list(self._held(None))
        if sum(len(mine) for _, _, mine in held) < len(self.manifest):
            raise FileNotFoundError(f"{self.folder} does not hold all that stood: run everything")
        return held

    def _parts_of(self, name: str, held: list[_Held], columns: Callable[[str, str], bool]) -> tuple[list[pa.Table], np.ndarray]:
        """The portions of a frame, a folder at a time, without `WHOSE`; of each row the place of its delivery among those that stand."""
        tables = []
        for path, index, mine in held:
            if (file := path / f"{name}.parquet").exists():
                table = pq.read_table(file, columns=[c for c in pq.read_schema(file).names if c == WHOSE or columns(name, c)])
                all_of_it = len(mine) == len(index)
                tables.append(table if all_of_it else table.filter(pc.is_in(table[WHOSE], value_set=pa.array(mine["delivery"]))))
        whose = pa.chunked_array([chunk for table in tables for chunk in table[WHOSE].cast(pa.string()).chunks], pa.string())
        coded = whose.combine_chunks().dictionary_encode()
        turn = pd.Index(list(self.manifest)).get_indexer(pd.Index(coded.dictionary.to_pylist()))[coded.indices.to_numpy()]
        return [table.drop_columns([WHOSE]) for table in tables], turn

    def together(self, deliveries: Collection[str]) -> list[tuple[dict[str, str], int]]:
        """Which of `deliveries` lie in one folder: their keys, and the rows of the folder."""
        return [(_keys(mine), int(index["rows"].max())) for _, index, mine in self._held(set(deliveries))]

    def batches(self, deliveries: Collection[str]) -> Iterator[tuple[dict[str, str], Frames]]:
        """What stands of `deliveries`, a folder at a time: their keys, and the frames with `WHOSE`."""
        yield from ((_keys(mine), _read(path, index, mine)) for path, index, mine in self._held(set(deliveries)))

    def _held(self, deliveries: set[str] | None) -> Iterator[_Held]:
        """Every folder that holds something that stands of `deliveries`."""
        seen: set[str] = set()
        for path, index in self._parts():
            mine = index[self._standing(index) & ~index["delivery"].isin(seen)]
            if deliveries is not None:
                mine = mine[mine["delivery"].isin(deliveries)]
            seen |= set(mine["delivery"])
            if len(mine):
                yield path, index, mine

    def _standing(self, index: pd.DataFrame) -> pd.Series:
        return index["delivery"].map(self.manifest).eq(index["key"])

    def _parts(self) -> list[tuple[Path, pd.DataFrame]]:
        return [(path, pq.ParquetFile(path / f"{_INDEX}.parquet").read().to_pandas()) for path in self._folders()]

    def _folders(self) -> list[Path]:
        return sorted((p for p in self.folder.glob("[0-9]*") if p.is_dir()), key=lambda p: int(p.name)) if self.folder.exists() else []

    def _write(self, frames: Frames, number: int | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lake.write(self.folder / f"{number or self.free():06}", frames)

    def _tidy(self) -> None:
        """Put the youngest two folders together as long as the younger is at least half as large as the elder."""
        while len(parts := self._parts()) > 1:
            (elder, first), (younger, second) = parts[-2:]
            rows = [int(index["rows"].max()) for index in (first, second)]
            if 2 * rows[1] < rows[0] or sum(rows) > _MOST_ROWS:
                return
            first_kept, second_kept = first[self._standing(first)], second[self._standing(second)]
            second_kept = second_kept[~second_kept["delivery"].isin(first_kept["delivery"])]
            held = [_read(elder, first, first_kept), _read(younger, second, second_kept)]
            frames = {name: _below([h[name] for h in held if name in h]) for name in dict.fromkeys(n for h in held for n in h)}
            index = pd.concat([first_kept, second_kept], ignore_index=True)
            self._write({**frames, _INDEX: index.assign(rows=sum(map(len, frames.values())))})
            _drop(elder)
            _drop(younger)


def _keys(index: pd.DataFrame) -> dict[str, str]:
    return dict(zip(index["delivery"], index["key"], strict=True))


def _drop(path: Path) -> None:
    """Remove a folder whole or not at all."""
    gone = path.rename(path.with_name(f".{path.name}.old"))
    shutil.rmtree(gone)


def _below(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The frames one below the other; of empty ones the first, for its columns."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else (filled or frames)[0]


def _files(path: Path, names: Callable[[str], bool]) -> list[Path]:
    """The frames of a folder that are wanted."""
    return sorted(file for file in path.glob("*.parquet") if file.stem != _INDEX and names(file.stem))


def _ascending(turn: np.ndarray) -> bool:
    return bool((turn[1:] >= turn[:-1]).all())


def _read(
    path: Path,
    index: pd.DataFrame,
    mine: pd.DataFrame,
    names: Callable[[str], bool] = _every,
    columns: Callable[[str, str], bool] = _every,
) -> Frames:
    """Frames of one folder: the portions `mine` of all that it holds (`index`)."""
    out: Frames = {}
    for file in _files(path, names):
        frame = parquet.read_table(file, [c for c in pq.read_schema(file).names if c == WHOSE or columns(file.stem, c)])
        out[file.stem] = frame if len(mine) == len(index) else frame[frame[WHOSE].isin(set(mine["delivery"]))].reset_index(drop=True)
    return out
