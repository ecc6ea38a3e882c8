"""Tasks of a large history, which run in this process or in several.

Belongs here: converting records, ties and common statistics to frames and back, passing tasks to processes. Does not belong here: the work
itself.

A task contains everything that its work needs. Processes read it from a folder and write the results there, so that nothing large is passed
between them. Only the owner can read the folder. It is removed after the work; after a killed run the next run removes it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.feather as feather

from pipelines.linkage import linkage_memory as memory_files
from pipelines.linkage.cases import FileTies
from pipelines.linkage.common_statistics import CommonStatistics
from pipelines.linkage.model import Model
from pipelines.linkage.score import CodedPersons, Scorer
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import Records
from pipelines.resources.memory import release_free_memory
from pipelines.resources.processes import run_in_processes

Frames = dict[str, pd.DataFrame]
_RECORD_FRAMES = ("files", "persons", "references", "own", "merges")
_TIE_FRAMES = ("cites", "joins", "together", "detained")
_CODED_FOLDER, _GROUP_COLUMN = "coded", "its group"
# Processes are not worth starting for fewer person records.
MIN_ROWS_FOR_PROCESSES = 60_000


@dataclass(frozen=True)
class Setting:
    """The input that all tasks have in common.

    coded: all person records, to whose rows a task refers. folder: for sharing tasks among processes; None to run them in this process.
    spark: where candidate pairs are generated and scored; None for in process.
    """

    model: Model
    common: CommonStatistics
    coded: CodedPersons
    folder: Path | None = None
    spark: SplinkOnSpark | None = None

    @cached_property
    def scorer(self) -> Scorer:
        """The scorer of all person records. Tasks in one process share its cache of comparisons."""
        return Scorer(self.coded, self.model, self.common.frequencies)


Work = Callable[[Frames, Setting], Frames]


def count_processes(setting: Setting, rows: int) -> int:
    """Return the number of processes for tasks with `rows` person records."""
    return 1 if setting.folder is None or rows < MIN_ROWS_FOR_PROCESSES else len(os.sched_getaffinity(0))


def run_tasks(work: Work, tasks: Iterable[Frames], setting: Setting, rows: int) -> Iterator[Frames]:
    """Yield the results of `work` for each task, in order.

    work: a function at the top level of a module. rows: the approximate number of person records in all tasks together.
    """
    folder = setting.folder
    if folder is None or count_processes(setting, rows) < 2:
        yield from (work(task, setting) for task in tasks)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        memory_files.write_common_statistics(folder, setting.common)
        _write_frames(folder / _CODED_FOLDER, _convert_persons_to_frames(setting.coded))
        submitted: list[_StoredTask] = []

        def write_tasks() -> Iterator[_StoredTask]:
            for n, task in enumerate(tasks):
                submitted.append(_StoredTask(work, setting.model, _write_frames(folder / str(n), task)))
                yield submitted[-1]

        run_in_processes(_run_stored_task, write_tasks(), rows)
        for stored in submitted:
            yield _read_frames(stored.folder / "found")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _StoredTask:
    work: Work
    model: Model
    folder: Path


_settings: dict[Path, Setting] = {}  # cache of this process


def _run_stored_task(task: _StoredTask) -> None:
    folder = task.folder.parent
    if folder not in _settings:
        _settings[folder] = Setting(
            task.model, memory_files.read_common_statistics(folder), _convert_frames_to_persons(_read_frames(folder / _CODED_FOLDER))
        )
    _write_frames(task.folder / "found", task.work(_read_frames(task.folder), _settings[folder]))
    release_free_memory()


def _convert_persons_to_frames(coded: CodedPersons) -> Frames:
    values = {f"values.{name}": pd.DataFrame(dict(enumerate(columns))).rename(columns=str) for name, columns in coded.values.items()}
    return {
        "codes": pd.DataFrame(coded.codes).assign(**{_GROUP_COLUMN: coded.group}),
        "groups": pd.DataFrame({"name": coded.groups}),
        **values,
    }


def _convert_frames_to_persons(frames: Frames) -> CodedPersons:
    codes = {str(name): column.to_numpy() for name, column in frames["codes"].items()}
    group, groups = codes.pop(_GROUP_COLUMN), frames["groups"]["name"].to_numpy(dtype=object)
    return CodedPersons(
        codes, {name: [_convert_column_to_array(column) for _, column in frames[f"values.{name}"].items()] for name in codes}, group, groups
    )


def _convert_column_to_array(column: pd.Series) -> np.ndarray:
    """Convert a column to the array that `compare.read_column_values` returns."""
    return column.to_numpy() if column.dtype.kind in "bf" else column.to_numpy(dtype=object)


def _write_frames(folder: Path, frames: Frames) -> Path:
    folder.mkdir()
    for name, frame in frames.items():
        feather.write_feather(frame.reset_index(drop=True), folder / f"{name}.feather", compression="lz4")
    return folder


def _read_frames(folder: Path) -> Frames:
    return {path.stem: feather.read_feather(path) for path in sorted(folder.glob("*.feather"))}


def pack_records(records: Records, ties: FileTies, rows: np.ndarray) -> Frames:
    """Convert records and ties to frames. rows: the rows that the persons in `records` have among all person records."""
    frames = {name: getattr(source, name) for source, names in ((records, _RECORD_FRAMES), (ties, _TIE_FRAMES)) for name in names}
    return {**frames, "rows": pd.DataFrame({"row": rows})}


def unpack_records(frames: Frames, setting: Setting, component: np.ndarray | None = None) -> tuple[Records, FileTies]:
    """Convert frames from `pack_records` to records (scored with the common statistics) and ties.

    component: the number of the component of each file, as in `FileTies`.
    """
    scorer = setting.scorer.restrict_to_rows(frames["rows"]["row"].to_numpy())
    records = Records(**{name: frames[name] for name in _RECORD_FRAMES}, counts=setting.common.counts, memo={"scorer": scorer})
    return records, FileTies(**{name: frames[name] for name in _TIE_FRAMES}, component=component)
