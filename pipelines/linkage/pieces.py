"""Pieces of a large history, worked on here or shared among processes.

Belongs here: records, ties and what is common as frames and back, handing pieces to processes. Does not belong here: the work. A piece
holds all that its work needs. Processes read it from a folder and leave there what they find, so that nothing of size is handed over; the
folder is readable by its owner only, goes with the work, and what a killed run left of it goes with the next.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.feather as feather

from pipelines.linkage import memory as kept
from pipelines.linkage.cases import Ties
from pipelines.linkage.common import Common
from pipelines.linkage.model import Model
from pipelines.linkage.score import Scorer
from pipelines.linkage.standardise import Records
from pipelines.resources.processes import each

Frames = dict[str, pd.DataFrame]
_RECORDS = ("files", "persons", "references", "own", "merges")
_TIES = ("cites", "joins", "together", "detained")
# Fewer person records than this are not worth the start of processes.
WORTH = 60_000


@dataclass(frozen=True)
class Setting:
    """What every piece goes by; `folder`: through which pieces are shared among processes, None where they are worked on here."""

    model: Model
    common: Common
    folder: Path | None = None


Work = Callable[[Frames, Setting], Frames]


def processes(setting: Setting, rows: int) -> int:
    """How many processes share pieces of so many person records."""
    return 1 if setting.folder is None or rows < WORTH else len(os.sched_getaffinity(0))


def shared(work: Work, pieces: Iterable[Frames], setting: Setting, rows: int) -> Iterator[Frames]:
    """What `work` (a function of a module) makes of each piece, in their order. rows: about how many person records they hold together."""
    if setting.folder is None or processes(setting, rows) < 2:
        yield from (work(piece, setting) for piece in pieces)
        return
    shutil.rmtree(setting.folder, ignore_errors=True)
    setting.folder.mkdir(parents=True, mode=0o700)
    try:
        kept.write_common(setting.folder, setting.common)
        handed = [_Piece(work, setting.model, _write(setting.folder / str(n), piece)) for n, piece in enumerate(pieces)]
        each(_work, handed, rows)
        for piece in handed:
            yield _read(piece.folder / "found")
    finally:
        shutil.rmtree(setting.folder, ignore_errors=True)


@dataclass(frozen=True)
class _Piece:
    work: Work
    model: Model
    folder: Path


def _work(piece: _Piece) -> None:
    setting = Setting(piece.model, kept.read_common(piece.folder.parent))
    _write(piece.folder / "found", piece.work(_read(piece.folder), setting))


def _write(folder: Path, frames: Frames) -> Path:
    folder.mkdir()
    for name, frame in frames.items():
        feather.write_feather(frame.reset_index(drop=True), folder / f"{name}.feather", compression="lz4")
    return folder


def _read(folder: Path) -> Frames:
    return {path.stem: feather.read_feather(path) for path in sorted(folder.glob("*.feather"))}


def packed(records: Records, ties: Ties) -> Frames:
    """Records and ties as frames."""
    return {name: getattr(source, name) for source, names in ((records, _RECORDS), (ties, _TIES)) for name in names}


def unpacked(frames: Frames, setting: Setting, part: np.ndarray | None = None) -> tuple[Records, Ties]:
    """Records, scored by what is common, and ties that `packed` laid out; `part`: of the files, as `Ties` has it."""
    scorer = Scorer(frames["persons"], setting.model, setting.common.frequencies)
    records = Records(**{name: frames[name] for name in _RECORDS}, counts=setting.common.counts, memo={"scorer": scorer})
    return records, Ties(**{name: frames[name] for name in _TIES}, part=part)
