"""Progress in plain lines, one a stage, when the output is no terminal."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines.progress import ProgressDisplay


def test_a_line_per_stage_once_all_its_steps_ended() -> None:
    out = io.StringIO()
    with ProgressDisplay(Console(file=out, width=100)) as display:
        display.on_plan({"police__raw": "read", "courts__raw": "read", "links": "link"})
        for step, rows in (("police__raw", 1200), ("courts__raw", 34)):
            display.on_start(step)
            display.on_end(step, rows)
        display.on_start("police__current_rows_add_up")  # a check: no stage
        display.on_end("police__current_rows_add_up", None)
        display.on_start("links")
        display.on_end("links", None)
    lines = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    assert [line[0] for line in lines] == ["read", "link"]
    assert lines[0][1:3] == ["1,234", "rows"]
    assert "\x1b" not in out.getvalue()
