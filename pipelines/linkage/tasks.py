"""Tasks of a large history, run in this process or in several.

Belongs here: converting records, ties and common statistics to frames and back, passing tasks to processes. Does not belong here: the work
itself. A task contains everything that its work needs. Processes read it from a folder and write results there, so that nothing large is
passed between them; the folder is readable by its owner only, is removed after the work, and after a killed run by the next run.
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

from pipelines.linkage import memory as memory_files
from pipelines.linkage.cases import Ties
from pipelines.linkage.common import Common
from pipelines.linkage.model import Model
from pipelines.linkage.score import Coded, Scorer
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records
from pipelines.resources.memory import release_memory
from pipelines.resources.processes import run_each

Frames = dict[str, pd.DataFrame]
_RECORDS = ("files", "persons", "references", "own", "merges")
_TIES = ("cites", "joins", "together", "detained")
_CODED, _GROUP = "coded", "its group"
# Processes are not worth starting for fewer person records.
WORTH = 60_000


@dataclass(frozen=True)
class Setting:
    """The input common to all tasks; `coded`: all person records, to whose rows a task refers; `folder`: for sharing tasks among processes,
    None to run them in this process; `spark`: where candidate pairs are generated and scored, None: in process."""

    model: Model
    common: Common
    coded: Coded
    folder: Path | None = None
    spark: Spark | None = None

    @cached_property
    def scorer(self) -> Scorer:
        """Scorer of all person records; tasks in one process share its cache of comparisons."""
        return Scorer(self.coded, self.model, self.common.frequencies)


Work = Callable[[Frames, Setting], Frames]


def processes(setting: Setting, rows: int) -> int:
    """Number of processes for tasks with so many person records."""
    return 1 if setting.folder is None or rows < WORTH else len(os.sched_getaffinity(0))


def run_tasks(work: Work, tasks: Iterable[Frames], setting: Setting, rows: int) -> Iterator[Frames]:
    """Results of `work` (a function of a module) for each task, in order. rows: approximate number of person records of all tasks."""
    folder = setting.folder
    if folder is None or processes(setting, rows) < 2:
        yield from (work(task, setting) for task in tasks)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        memory_files.write_common(folder, setting.common)
        _write(folder / _CODED, _to_frames(setting.coded))
        submitted: list[_Task] = []

        def written() -> Iterator[_Task]:
            for n, task in enumerate(tasks):
                submitted.append(_Task(work, setting.model, _write(folder / str(n), task)))
                yield submitted[-1]

        run_each(_work, written(), rows)
        for one in submitted:
            yield _read(one.folder / "found")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Task:
    work: Work
    model: Model
    folder: Path


_settings: dict[Path, Setting] = {}  # cache of this process


def _work(task: _Task) -> None:
    folder = task.folder.parent
    if folder not in _settings:
        _settings[folder] = Setting(task.model, memory_files.read_common(folder), _coded(_read(folder / _CODED)))
    _write(task.folder / "found", task.work(_read(task.folder), _settings[folder]))
    release_memory()


def _to_frames(coded: Coded) -> Frames:
    values = {f"values.{name}": pd.DataFrame(dict(enumerate(columns))).rename(columns=str) for name, columns in coded.values.items()}
    return {"codes": pd.DataFrame(coded.codes).assign(**{_GROUP: coded.group}), "groups": pd.DataFrame({"name": coded.groups}), **values}


def _coded(frames: Frames) -> Coded:
    codes = {str(name): column.to_numpy() for name, column in frames["codes"].items()}
    group, groups = codes.pop(_GROUP), frames["groups"]["name"].to_numpy(dtype=object)
    return Coded(codes, {name: [_plain(column) for _, column in frames[f"values.{name}"].items()] for name in codes}, group, groups)


def _plain(column: pd.Series) -> np.ndarray:
    """The column as `compare.column_values` returns it."""
    return column.to_numpy() if column.dtype.kind in "bf" else column.to_numpy(dtype=object)


def _write(folder: Path, frames: Frames) -> Path:
    folder.mkdir()
    for name, frame in frames.items():
        feather.write_feather(frame.reset_index(drop=True), folder / f"{name}.feather", compression="lz4")
    return folder


def _read(folder: Path) -> Frames:
    return {path.stem: feather.read_feather(path) for path in sorted(folder.glob("*.feather"))}


def packed(records: Records, ties: Ties, rows: np.ndarray) -> Frames:
    """Records and ties as frames; `rows`: the rows of these persons among all person records."""
    found = {name: getattr(source, name) for source, names in ((records, _RECORDS), (ties, _TIES)) for name in names}
    return {**found, "rows": pd.DataFrame({"row": rows})}


def unpacked(frames: Frames, setting: Setting, component: np.ndarray | None = None) -> tuple[Records, Ties]:
    """Records (scored with the common statistics) and ties from `packed`; `component`: of the files, as in `Ties`."""
    scorer = setting.scorer.at(frames["rows"]["row"].to_numpy())
    records = Records(**{name: frames[name] for name in _RECORDS}, counts=setting.common.counts, memo={"scorer": scorer})
    return records, Ties(**{name: frames[name] for name in _TIES}, component=component)
