"""Tasks: parts of the linkage of a large history, which run in this process or in several processes.

Belongs here: converting records, connections and common statistics to frames and back, passing tasks to processes. Does not belong here:
what a task computes.

A task is a mapping of frames that contains everything that is needed to compute its result. Other processes read it from a folder and write
the result there, so that nothing large is passed between processes. Only the owner can read the folder. It is removed when all tasks are
done; if a run is killed, the next run removes it.
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
from pipelines.linkage.cases import CaseFileConnections
from pipelines.linkage.common_statistics import CommonStatistics
from pipelines.linkage.model import LinkageModel
from pipelines.linkage.score import EncodedPersons, PairScorer
from pipelines.linkage.spark import SplinkOnSpark
from pipelines.linkage.standardise import LinkageRecords
from pipelines.resources.memory import release_free_memory
from pipelines.resources.processes import run_in_processes

Frames = dict[str, pd.DataFrame]
_RECORD_FRAMES = ("files", "persons", "references", "own", "merges")
_CONNECTION_FRAMES = ("citations", "mergers", "shared_citations", "stays_begun_together")
_CODED_FOLDER, _GROUP_COLUMN = "coded", "its group"
# For fewer person records than this, it is not worth starting further processes.
MIN_ROWS_FOR_PROCESSES = 60_000


@dataclass(frozen=True)
class SharedTaskInput:
    """The input that all tasks have in common.

    common: the common statistics of the history. coded: all person records, encoded as numbers; tasks refer to their rows. folder: the
    folder through which tasks are passed to other processes; None if all tasks run in this process. spark: the Spark cluster on which
    candidate pairs are generated and scored; None if that is done without Spark.
    """

    model: LinkageModel
    common: CommonStatistics
    coded: EncodedPersons
    folder: Path | None = None
    spark: SplinkOnSpark | None = None

    @cached_property
    def scorer(self) -> PairScorer:
        """The scorer of all person records. All tasks in a process share its cache of comparisons."""
        return PairScorer(self.coded, self.model, self.common.frequencies)


Work = Callable[[Frames, SharedTaskInput], Frames]


def count_processes(shared_input: SharedTaskInput, person_record_count: int) -> int:
    """Return how many processes are used for tasks with `person_record_count` person records altogether."""
    return 1 if shared_input.folder is None or person_record_count < MIN_ROWS_FOR_PROCESSES else len(os.sched_getaffinity(0))


def run_tasks(task_function: Work, tasks: Iterable[Frames], shared_input: SharedTaskInput, person_record_count: int) -> Iterator[Frames]:
    """Yield the result of `task_function` for each task, in the order of the tasks.

    task_function: a function that is defined at the top level of a module, so that other processes can import it. person_record_count: the
    approximate number of person records in all tasks.
    """
    folder = shared_input.folder
    if folder is None or count_processes(shared_input, person_record_count) < 2:
        yield from (task_function(task, shared_input) for task in tasks)
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    try:
        memory_files.write_common_statistics(folder, shared_input.common)
        _write_frames(folder / _CODED_FOLDER, _convert_persons_to_frames(shared_input.coded))
        submitted: list[_StoredTask] = []

        def write_tasks() -> Iterator[_StoredTask]:
            for n, task in enumerate(tasks):
                submitted.append(_StoredTask(task_function, shared_input.model, _write_frames(folder / str(n), task)))
                yield submitted[-1]

        run_in_processes(_run_stored_task, write_tasks(), person_record_count)
        for stored in submitted:
            yield _read_frames(stored.folder / "found")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _StoredTask:
    """A task that is stored in a folder, and the function `work` that computes its result."""

    work: Work
    model: LinkageModel
    folder: Path


_settings: dict[Path, SharedTaskInput] = {}  # the shared input of the tasks in each folder, read once for each process


def _run_stored_task(stored_task: _StoredTask) -> None:
    """Read a task from its folder, compute its result, and write the result to the same folder."""
    folder = stored_task.folder.parent
    if folder not in _settings:
        _settings[folder] = SharedTaskInput(
            stored_task.model, memory_files.read_common_statistics(folder), _convert_frames_to_persons(_read_frames(folder / _CODED_FOLDER))
        )
    _write_frames(stored_task.folder / "found", stored_task.work(_read_frames(stored_task.folder), _settings[folder]))
    release_free_memory()


def _convert_persons_to_frames(encoded_persons: EncodedPersons) -> Frames:
    values = {
        f"values.{name}": pd.DataFrame(dict(enumerate(columns))).rename(columns=str) for name, columns in encoded_persons.values.items()
    }
    return {
        "codes": pd.DataFrame(encoded_persons.codes).assign(**{_GROUP_COLUMN: encoded_persons.group}),
        "groups": pd.DataFrame({"name": encoded_persons.groups}),
        **values,
    }


def _convert_frames_to_persons(frames: Frames) -> EncodedPersons:
    codes = {str(name): column.to_numpy() for name, column in frames["codes"].items()}
    group, groups = codes.pop(_GROUP_COLUMN), frames["groups"]["name"].to_numpy(dtype=object)
    return EncodedPersons(
        codes, {name: [_convert_column_to_array(column) for _, column in frames[f"values.{name}"].items()] for name in codes}, group, groups
    )


def _convert_column_to_array(column: pd.Series) -> np.ndarray:
    """Convert a column of a frame to an array of the kind that `compare.read_column_values` returns."""
    return column.to_numpy() if column.dtype.kind in "bf" else column.to_numpy(dtype=object)


def _write_frames(folder: Path, frames: Frames) -> Path:
    folder.mkdir()
    for name, frame in frames.items():
        feather.write_feather(frame.reset_index(drop=True), folder / f"{name}.feather", compression="lz4")
    return folder


def _read_frames(folder: Path) -> Frames:
    return {path.stem: feather.read_feather(path) for path in sorted(folder.glob("*.feather"))}


def convert_records_to_frames(records: LinkageRecords, connections: CaseFileConnections, person_rows: np.ndarray) -> Frames:
    """Convert records and connections to frames by name.

    person_rows: for each person in `records`, its row among all person records of the history.
    """
    frames = {
        name: getattr(source, name) for source, names in ((records, _RECORD_FRAMES), (connections, _CONNECTION_FRAMES)) for name in names
    }
    return {**frames, "rows": pd.DataFrame({"row": person_rows})}


def convert_frames_to_records(
    frames: Frames, shared_input: SharedTaskInput, component_of_file: np.ndarray | None = None
) -> tuple[LinkageRecords, CaseFileConnections]:
    """Convert frames from `convert_records_to_frames` to records and connections. The records are scored with the common statistics.

    component_of_file: the number of the component of each case file, as in `CaseFileConnections`.
    """
    scorer = shared_input.scorer.restrict_to_rows(frames["rows"]["row"].to_numpy())
    records = LinkageRecords(**{name: frames[name] for name in _RECORD_FRAMES}, counts=shared_input.common.counts, memo={"scorer": scorer})
    return records, CaseFileConnections(**{name: frames[name] for name in _CONNECTION_FRAMES}, component=component_of_file)
