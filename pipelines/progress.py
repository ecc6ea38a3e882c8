"""Show the progress of a run: a line for each finished stage and, if the console is a terminal, a progress bar.

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


class ProgressListener(Protocol):
    """An object that is told about the progress of a run. A step is named as in Dagster, for example `police__raw`."""

    def on_plan(self, steps: Mapping[str, str]) -> None:
        """Called before the run starts. `steps` maps each planned step to its stage, in the order of execution."""

    def on_start(self, step: str) -> None:
        """Called when a step starts."""

    def on_end(self, step: str, rows: int | None) -> None:
        """Called when a step has succeeded. `rows` is the number of rows of its output; None if it is not known."""


class SilentListener:
    """A listener that ignores all events."""

    def on_plan(self, steps: Mapping[str, str]) -> None:
        """Ignore the plan."""

    def on_start(self, step: str) -> None:
        """Ignore the start."""

    def on_end(self, step: str, rows: int | None) -> None:
        """Ignore the end."""


class ProgressDisplay:
    """A listener that prints a line on `console` for each finished stage and, if the console is a terminal, shows a progress bar."""

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

    def on_plan(self, steps: Mapping[str, str]) -> None:
        """Store the stage of each step, and draw an empty progress bar."""
        self._stage = dict(steps)
        for step, stage in steps.items():
            self._open[stage].add(step)
        self._task = self._bar.add_task("starting", total=len(steps))

    def on_start(self, step: str) -> None:
        """Show the stage of the step beside the progress bar."""
        self._started = time.monotonic()
        if step in self._stage and self._task is not None:
            self._bar.update(self._task, description=self._stage[step])

    def on_end(self, step: str, rows: int | None) -> None:
        """Advance the progress bar. If this was the last step of its stage, print the line of the stage."""
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
