"""The output of a stage, stored in the lake by delivery, so that the next run processes only new deliveries.

Belongs here: storing the frames of many deliveries in few files, and which of the stored outputs are current. Does not belong here: what
the frames mean. A stored output is used again only if it has the expected key (see `make_stage_key`).

The folder of the stage contains numbered folders of Parquet files. Each of these is written completely or not at all, and contains the
outputs of one or more deliveries. A run adds a folder. The two newest folders are merged if the newer one is at least half the size of the
other one, so that there are never many. `manifest.json` lists the current outputs in order. Everything in the folder of the stage may be
deleted at any time; the next run makes it again.
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

from pipelines.resources import code_digest, lake, parquet
from pipelines.resources.lake import Frames, StoredOutput

DELIVERY = "_portion"  # column of every stored frame, with the delivery of each row
_INDEX, MANIFEST = "_index", "manifest.json"
_MAX_FOLDER_ROWS = 200_000  # larger folders are not merged, so that a run does not need more and more memory
_CODE = ("sources", "schemas", "pipelines/validation", "pipelines/harmonisation", "pipelines/assets/delivery_frames.py")
_LIBRARIES = ("pandas", "pandera", "pyarrow", "python-calamine", "openpyxl", "lxml", "rapidfuzz")
_CurrentFolder = tuple[Path, pd.DataFrame, pd.DataFrame]  # a folder, its index, and the current rows of the index


def _accept_every_name(*_: str) -> bool:
    return True


def hash_reading_code() -> str:
    """Return a hash of all code and data that decide how the bytes of a delivery become validated rows.

    They are readers, contracts, rules, code lists, validation, harmonisation and libraries.
    """
    return code_digest.hash_code_and_libraries(_CODE, _LIBRARIES)


def make_stage_key(receipt: str, incomplete: bool) -> str:
    """Return the key under which an output is stored if it depends only on the bytes of a delivery.

    `receipt` and `incomplete` come from `pipelines.landing.LandedDelivery`.
    """
    return hashlib.sha256(f"{receipt} {incomplete} {hash_reading_code()}".encode()).hexdigest()


class DeliveryStore(StoredOutput):
    """The outputs of one stage, one for each delivery. `manifest` maps each delivery, in order, to the key of its current output."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        manifest_file = folder / MANIFEST
        self.manifest: dict[str, str] = json.loads(manifest_file.read_text()) if manifest_file.exists() else {}

    def find_missing_outputs(self, key_by_delivery: Mapping[str, str]) -> list[str]:
        """Return the deliveries for which no output with the key in `key_by_delivery` is stored."""
        stored = {(d, k) for _, index in self._list_folders_with_index() for d, k in zip(index["delivery"], index["key"], strict=True)}
        return [delivery for delivery, key in key_by_delivery.items() if (delivery, key) not in stored]

    def add_outputs(self, key_by_delivery: Mapping[str, str], frames: Frames, folder_number: int | None = None) -> None:
        """Store the outputs of some deliveries in a new folder.

        `key_by_delivery` maps each delivery, even one without rows, to the key of its output. The frames have the delivery of each row in
        the column `DELIVERY`. `folder_number` is the number of the new folder, at least `find_next_folder_number`. Processes that add
        outputs at the same time must give different numbers.
        """
        index = pd.DataFrame({"delivery": list(key_by_delivery), "key": list(key_by_delivery.values())}, dtype="str")
        rows = sum(map(len, frames.values()))
        self._write_frames({**frames, _INDEX: index.assign(rows=rows)}, folder_number)

    def find_next_folder_number(self) -> int:
        """Return the number that follows the highest folder number in use."""
        return max((int(path.name) for path in self._list_folders()), default=0) + 1

    def remove_folder_with_number(self, folder_number: int) -> None:
        """Remove the folder with this number, even if it is incomplete."""
        for path in (*self.folder.glob(f"{folder_number:06}"), *self.folder.glob(f".{folder_number:06}.*")):
            shutil.rmtree(path)

    def set_current_outputs(self, key_by_delivery: Mapping[str, str]) -> None:
        """Make the outputs with these keys the current ones, in the order of `key_by_delivery`.

        Folders without current outputs are removed, and small folders are merged.
        """
        self.manifest = dict(key_by_delivery)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in [*self.folder.glob(".*.part"), *self.folder.glob(".*.old"), *self.folder.glob("*.parquet")]:  # left by a killed run
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path, index in self._list_folders_with_index():
            if not self._are_outputs_current(index).any():
                _remove_folder(path)
        self._merge_small_folders()
        partial = self.folder / f".{MANIFEST}.part"
        partial.write_text(json.dumps(self.manifest))
        partial.replace(self.folder / MANIFEST)

    def load_frames(
        self, selects_frame: Callable[[str], bool] = _accept_every_name, selects_column: Callable[[str, str], bool] = _accept_every_name
    ) -> Frames:
        """Return the frames with the rows of all current outputs, in the order of the deliveries, without the column `DELIVERY`.

        `selects_frame` says for the name of a frame whether to load it; `selects_column` says so for a frame and a column. Raises
        `FileNotFoundError` if an output is missing.
        """
        folders = self._list_all_current_folders()
        out: Frames = {}
        for name in dict.fromkeys(file.stem for path, _, _ in folders for file in _list_frame_files(path, selects_frame)):
            tables, order = self._load_tables_and_order(name, folders, selects_column)
            frame = parquet.concatenate_arrow_tables(tables)
            out[name] = frame if _is_ascending(order) else frame.iloc[order.argsort(kind="stable")].reset_index(drop=True)
        return out

    def load_table(self, name: str) -> pa.Table | None:
        """Return one frame, with the same rows as in `load_frames`, as an Arrow table; None if there is no such frame.

        Raises `FileNotFoundError` if an output is missing.
        """
        tables, order = self._load_tables_and_order(name, self._list_all_current_folders(), _accept_every_name)
        if not tables:
            return None
        table = pa.concat_tables(tables, promote_options="permissive")
        return table if _is_ascending(order) else table.take(order.argsort(kind="stable"))

    def _list_all_current_folders(self) -> list[_CurrentFolder]:
        """Return the folders with the current outputs of all deliveries. Raises `FileNotFoundError` if an output is missing."""
        folders = list(self._iterate_current_folders(None))
        if sum(len(current) for _, _, current in folders) < len(self.manifest):
            raise FileNotFoundError(f"{self.folder} does not hold all that its manifest names: run everything")
        return folders

    def _load_tables_and_order(
        self, name: str, folders: list[_CurrentFolder], selects_column: Callable[[str, str], bool]
    ) -> tuple[list[pa.Table], np.ndarray]:
        """Return one frame as a table for each folder, without the column `DELIVERY`.

        Also return the position of each row's delivery in the manifest.
        """
        tables = []
        for path, index, current in folders:
            if (file := path / f"{name}.parquet").exists():
                table = pq.read_table(file, columns=[c for c in pq.read_schema(file).names if c == DELIVERY or selects_column(name, c)])
                is_whole_folder = len(current) == len(index)
                tables.append(
                    table if is_whole_folder else table.filter(pc.is_in(table[DELIVERY], value_set=pa.array(current["delivery"])))
                )
        delivery_of_row = pa.chunked_array([chunk for table in tables for chunk in table[DELIVERY].cast(pa.string()).chunks], pa.string())
        coded = delivery_of_row.combine_chunks().dictionary_encode()
        order = pd.Index(list(self.manifest)).get_indexer(pd.Index(coded.dictionary.to_pylist()))[coded.indices.to_numpy()]
        return [table.drop_columns([DELIVERY]) for table in tables], order

    def list_keys_by_folder(self, deliveries: Collection[str]) -> list[tuple[dict[str, str], int]]:
        """Return, for each folder, the keys of those of `deliveries` that it stores, by delivery, and the number of rows in the folder."""
        return [
            (_map_deliveries_to_keys(current), int(index["rows"].max()))
            for _, index, current in self._iterate_current_folders(set(deliveries))
        ]

    def iterate_outputs_by_folder(self, deliveries: Collection[str]) -> Iterator[tuple[dict[str, str], Frames]]:
        """Yield the current outputs of `deliveries`, one folder at a time: their keys, and their frames with the column `DELIVERY`."""
        yield from (
            (_map_deliveries_to_keys(current), _read_outputs_of_folder(path, index, current))
            for path, index, current in self._iterate_current_folders(set(deliveries))
        )

    def _iterate_current_folders(self, deliveries: set[str] | None) -> Iterator[_CurrentFolder]:
        """Yield the folders that contain current outputs of `deliveries`. None means all deliveries."""
        seen: set[str] = set()
        for path, index in self._list_folders_with_index():
            current = index[self._are_outputs_current(index) & ~index["delivery"].isin(seen)]
            if deliveries is not None:
                current = current[current["delivery"].isin(deliveries)]
            seen |= set(current["delivery"])
            if len(current):
                yield path, index, current

    def _are_outputs_current(self, index: pd.DataFrame) -> pd.Series:
        return index["delivery"].map(self.manifest).eq(index["key"])

    def _list_folders_with_index(self) -> list[tuple[Path, pd.DataFrame]]:
        return [(path, pq.ParquetFile(path / f"{_INDEX}.parquet").read().to_pandas()) for path in self._list_folders()]

    def _list_folders(self) -> list[Path]:
        return sorted((p for p in self.folder.glob("[0-9]*") if p.is_dir()), key=lambda p: int(p.name)) if self.folder.exists() else []

    def _write_frames(self, frames: Frames, folder_number: int | None = None) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lake.write_tables(self.folder / f"{folder_number or self.find_next_folder_number():06}", frames)

    def _merge_small_folders(self) -> None:
        """Merge the two newest folders, again and again, as long as the newer one is at least half as large as the other one.

        Folders are not merged if the result would have more than `_MAX_FOLDER_ROWS` rows.
        """
        while len(parts := self._list_folders_with_index()) > 1:
            (older, older_index), (newer, newer_index) = parts[-2:]
            rows = [int(index["rows"].max()) for index in (older_index, newer_index)]
            if 2 * rows[1] < rows[0] or sum(rows) > _MAX_FOLDER_ROWS:
                return
            older_current, newer_current = (index[self._are_outputs_current(index)] for index in (older_index, newer_index))
            newer_current = newer_current[~newer_current["delivery"].isin(older_current["delivery"])]
            both = [_read_outputs_of_folder(older, older_index, older_current), _read_outputs_of_folder(newer, newer_index, newer_current)]
            names = dict.fromkeys(name for frames in both for name in frames)
            merged = {name: _concatenate_frames([frames[name] for frames in both if name in frames]) for name in names}
            index = pd.concat([older_current, newer_current], ignore_index=True)
            self._write_frames({**merged, _INDEX: index.assign(rows=sum(map(len, merged.values())))})
            _remove_folder(older)
            _remove_folder(newer)


def _map_deliveries_to_keys(index: pd.DataFrame) -> dict[str, str]:
    return dict(zip(index["delivery"], index["key"], strict=True))


def _remove_folder(path: Path) -> None:
    """Remove a folder. It is renamed first, so that a killed run leaves either the whole folder or none."""
    renamed = path.rename(path.with_name(f".{path.name}.old"))
    shutil.rmtree(renamed)


def _concatenate_frames(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames. If all are empty, return the first one, so that the result has its columns."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else (filled or frames)[0]


def _list_frame_files(path: Path, selects_frame: Callable[[str], bool]) -> list[Path]:
    """List the files in a folder whose frames `selects_frame` selects."""
    return sorted(file for file in path.glob("*.parquet") if file.stem != _INDEX and selects_frame(file.stem))


def _is_ascending(order: np.ndarray) -> bool:
    """Return whether the numbers are in ascending order; equal numbers may follow each other."""
    return bool((order[1:] >= order[:-1]).all())


def _read_outputs_of_folder(
    path: Path,
    index: pd.DataFrame,
    outputs: pd.DataFrame,
    selects_frame: Callable[[str], bool] = _accept_every_name,
    selects_column: Callable[[str, str], bool] = _accept_every_name,
) -> Frames:
    """Return the frames of one folder, with only the rows of `outputs`. `index` lists all outputs that the folder contains."""
    out: Frames = {}
    for file in _list_frame_files(path, selects_frame):
        frame = parquet.read_table(file, [c for c in pq.read_schema(file).names if c == DELIVERY or selects_column(file.stem, c)])
        out[file.stem] = (
            frame if len(outputs) == len(index) else frame[frame[DELIVERY].isin(set(outputs["delivery"]))].reset_index(drop=True)
        )
    return out
