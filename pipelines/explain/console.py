"""An explanation as text, for a terminal or a pipe.

Belongs here: how blocks become lines. Does not belong here: their content.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as Lines
from rich.text import Text as Styled

from pipelines.explain.chart import LEAST
from pipelines.explain.document import Bits, Block, Cell, Explanation, Table, Text, Waterfall
from pipelines.feedback.texts import visible

_TONES = {"plain": "", "good": "green", "bad": "red", "notice": "yellow"}
_BAR = 36  # characters of the widest waterfall


def show(console: Console, document: Explanation) -> None:
    """Print `document`; colours and lines only where the console is a terminal."""
    console.print(Styled(document.title, style="bold"))
    for name, value in document.facts:
        console.print(Styled(f"  {name:<24} {visible(value)}"), soft_wrap=True)
    for text in document.lead:
        _block(console, text)
    for section in document.sections:
        console.print()
        console.print(Styled(section.title, style="bold underline"))
        if section.note:
            console.print(Styled(section.note, style="dim"), soft_wrap=True)
        for block in [*section.blocks, *section.charts]:
            _block(console, block)
    console.print()
    console.print(Styled(document.sources, style="dim"), soft_wrap=True)


def _block(console: Console, block: Block) -> None:
    if isinstance(block, Text):
        console.print(Styled(visible(block.text), style=_TONES[block.tone]), soft_wrap=True)
    elif isinstance(block, Waterfall):
        _waterfall(console, block)
    else:
        _table(console, block)


def _table(console: Console, table: Table) -> None:
    if table.rows:
        lines = Lines(
            box=box.SIMPLE if console.is_terminal else box.ASCII2, show_footer=table.foot is not None, pad_edge=False, padding=(0, 1, 0, 0)
        )
        for n, column in enumerate(table.columns):
            foot = _cell(table.foot[n]) if table.foot is not None else ""
            lines.add_column(
                column.title,
                justify="right" if column.number else "left",
                overflow="fold",
                footer=foot,
                min_width=4 if column.wrap else None,
            )
        for n, row in enumerate(table.rows):
            lines.add_row(*(_cell(cell) for cell in row), style="bold" if n in table.marked else "")
        console.print(lines)
    if table.note:
        console.print(Styled(table.note, style="dim"), soft_wrap=True)


def _cell(cell: Cell) -> Styled:
    if isinstance(cell, Bits):
        value = cell.value or 0.0
        return Styled(str(cell), style="green" if value >= 1 else "red" if value <= -1 else "")
    lines = cell if isinstance(cell, tuple) else ("" if cell is None else str(cell),)
    return Styled("\n".join(map(visible, lines)))


def _waterfall(console: Console, chart: Waterfall) -> None:
    """Bars of characters: where each step begins and ends."""
    console.print()
    console.print(Styled(chart.title, style="bold"))
    running, ends = 0.0, [0.0]
    for step in [chart.start, *chart.steps]:
        running += step.amount
        ends.append(running)
    low, high = min(ends), max(ends)
    scale = _BAR / max(high - low, LEAST)
    width = max(len(step.label) for step in [chart.start, *chart.steps])
    running = 0.0
    for step in [chart.start, *chart.steps]:
        before, running = running, running + step.amount
        bar = _bar(before, running, low, scale, "+" if step.amount >= 0 else "-")
        detail = f"  {visible(step.detail)}" if step.detail else ""
        line = f"  {step.label:<{width}} {chart.say(step.amount):>7} |{bar}| {chart.say(running, sign=False):>7}{detail}"
        console.print(Styled(line, style="green" if step.amount >= 0 else "red"), soft_wrap=True)
    end = f"  {chart.end:<{width}} {chart.say(running):>7} |{_bar(0.0, running, low, scale, '=')}|  {chart.verdict}"
    console.print(Styled(end, style="bold"), soft_wrap=True)


def _bar(first: float, last: float, low: float, scale: float, sign: str) -> str:
    a, b = sorted((round((first - low) * scale), round((last - low) * scale)))
    return f"{' ' * a}{sign * max(b - a, 1)}".ljust(_BAR)[: _BAR + 1].ljust(_BAR + 1)
