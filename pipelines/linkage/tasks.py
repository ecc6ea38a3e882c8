"""Tasks of a large history, worked on in this process or shared among several.

Belongs here: records, ties and what is common as frames and back, handing tasks to processes. Does not belong here: the work. A task
holds all that its work needs. Processes read it from a folder and leave there what they find, so that nothing of size is handed over; the
folder is readable by its owner only, goes with the work, and what a killed run left of it goes with the next.
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

from pipelines.linkage import memory as kept
from pipelines.linkage.cases import Ties
from pipelines.linkage.common import Common
from pipelines.linkage.model import Model
from pipelines.linkage.score import Coded, Scorer
from pipelines.linkage.spark import Spark
from pipelines.linkage.standardise import Records
from pipelines.resources.memory import release_memory
from pipelines.resources.processes import each

Frames = dict[str, pd.DataFrame]
_RECORDS = ("files", "persons", "references", "own", "merges")
_TIES = ("cites", "joins", "together", "detained")
_CODED, _GROUP = "coded", "its group"
# Fewer person records than this are not worth the start of processes.
WORTH = 60_000


@dataclass(frozen=True)
class Setting:
    """What every task goes by; `coded`: all person records, of which a task names rows; `folder`: through which tasks are shared among
    processes, None where they are worked on here; `spark`: where candidate pairs are made and scored, None: in process."""

    model: Model
    common: Common
    coded: Coded
    folder: Path | None = None
    spark: Spark | None = None

    @cached_property
    def scorer(self) -> Scorer:
        """Scores pairs of all person records; tasks that are worked on by one process compare the same two values once."""
        return Scorer(self.coded, self.model, self.common.frequencies)


Work = Callable[[Frames, Setting], Frames]


def processes(setting: Setting, rows: int) -> int:
    """How many processes share tasks of so many person records."""
    return 1 if setting.folder is None or rows < WORTH else len(os.sched_getaffinity(0))


def run_tasks(work: Work, tasks: Iterable[Frames], setting: Setting, rows: int) -> Iterator[Frames]:
    """What `work` (a function of a module) makes of each task, in their order. rows: about how many person records they hold together."""
    folder = setting.folder
    if folder is None or processes(setting, rows) < 2:
        yield from (work(task, setting) for task in tasks)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        kept.write_common(folder, setting.common)
        _write(folder / _CODED, _laid_out(setting.coded))
        handed: list[_Task] = []

        def written() -> Iterator[_Task]:
            for n, task in enumerate(tasks):
                handed.append(_Task(work, setting.model, _write(folder / str(n), task)))
                yield handed[-1]

        each(_work, written(), rows)
        for one in handed:
            yield _read(one.folder / "found")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Task:
    work: Work
    model: Model
    folder: Path


_settings: dict[Path, Setting] = {}  # of this process


def _work(task: _Task) -> None:
    folder = task.folder.parent
    if folder not in _settings:
        _settings[folder] = Setting(task.model, kept.read_common(folder), _coded(_read(folder / _CODED)))
    _write(task.folder / "found", task.work(_read(task.folder), _settings[folder]))
    release_memory()


def _laid_out(coded: Coded) -> Frames:
    values = {f"values.{name}": pd.DataFrame(dict(enumerate(columns))).rename(columns=str) for name, columns in coded.values.items()}
    return {"codes": pd.DataFrame(coded.codes).assign(**{_GROUP: coded.group}), "groups": pd.DataFrame({"name": coded.groups}), **values}


def _coded(frames: Frames) -> Coded:
    codes = {str(name): column.to_numpy() for name, column in frames["codes"].items()}
    group, groups = codes.pop(_GROUP), frames["groups"]["name"].to_numpy(dtype=object)
    return Coded(codes, {name: [_plain(column) for _, column in frames[f"values.{name}"].items()] for name in codes}, group, groups)


def _plain(column: pd.Series) -> np.ndarray:
    """As `compare.column_values` gives it."""
    return column.to_numpy() if column.dtype.kind in "bf" else column.to_numpy(dtype=object)


def _write(folder: Path, frames: Frames) -> Path:
    folder.mkdir()
    for name, frame in frames.items():
        feather.write_feather(frame.reset_index(drop=True), folder / f"{name}.feather", compression="lz4")
    return folder


def _read(folder: Path) -> Frames:
    return {path.stem: feather.read_feather(path) for path in sorted(folder.glob("*.feather"))}


def packed(records: Records, ties: Ties, rows: np.ndarray) -> Frames:
    """Records and ties as frames; `rows`: which of all person records these are."""
    found = {name: getattr(source, name) for source, names in ((records, _RECORDS), (ties, _TIES)) for name in names}
    return {**found, "rows": pd.DataFrame({"row": rows})}


def unpacked(frames: Frames, setting: Setting, component: np.ndarray | None = None) -> tuple[Records, Ties]:
    """Records, scored by what is common, and ties that `packed` laid out; `component`: of the files, as `Ties` has it."""
    scorer = setting.scorer.at(frames["rows"]["row"].to_numpy())
    records = Records(**{name: frames[name] for name in _RECORDS}, counts=setting.common.counts, memo={"scorer": scorer})
    return records, Ties(**{name: frames[name] for name in _TIES}, component=component)
