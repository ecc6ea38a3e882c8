"""Progress of a run: a line for each finished stage, and a progress bar on a terminal.

Does not belong here: the results of the run (`summary.py`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Listener(Protocol):
    """Receives progress of a run. Steps are named as in Dagster: `police__raw`."""

    def planned(self, steps: Mapping[str, str]) -> None:
        """Receive the planned steps and the stage of each, in order of execution."""

    def started(self, step: str) -> None:
        """A step started."""

    def ended(self, step: str, rows: int | None) -> None:
        """A step succeeded; `rows` is its row count."""


class Silence:
    """A listener that ignores all events."""

    def planned(self, steps: Mapping[str, str]) -> None:
        """Ignored."""

    def started(self, step: str) -> None:
        """Ignored."""

    def ended(self, step: str, rows: int | None) -> None:
        """Ignored."""


class Display:
    """A listener that shows a line for each finished stage on `console`, and a progress bar on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage: dict[str, str] = {}
        self._open: dict[str, set[str]] = defaultdict(set)
        self._rows: dict[str, int | None] = {}
        self._spent: dict[str, float] = defaultdict(float)
        self._started = time.monotonic()
        self._bar = Progress(
            TextColumn("  [bold]{task.description:<12}"),
            BarColumn(bar_width=40),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def planned(self, steps: Mapping[str, str]) -> None:
        """Store the stages and draw the empty bar."""
        self._stage = dict(steps)
        for step, stage in steps.items():
            self._open[stage].add(step)
        self._task = self._bar.add_task("starting", total=len(steps))

    def started(self, step: str) -> None:
        """Show the current stage."""
        self._started = time.monotonic()
        if step in self._stage and self._task is not None:
            self._bar.update(self._task, description=self._stage[step])

    def ended(self, step: str, rows: int | None) -> None:
        """Count the step; print the line of its stage when the stage is complete."""
        stage = self._stage.get(step)
        if stage is None or step not in self._open[stage]:
            return
        self._open[stage].discard(step)
        self._spent[stage] += time.monotonic() - self._started
        if rows is not None:
            self._rows[stage] = (self._rows.get(stage) or 0) + rows
        if self._task is not None:
            self._bar.advance(self._task)
        if not self._open[stage]:
            counted = f"{self._rows[stage]:>9,} rows" if stage in self._rows else " " * 14
            self._bar.console.print(f"  {stage:<12} {counted} {self._spent[stage]:6.1f} s", highlight=False)
