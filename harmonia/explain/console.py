"""Print an explanation as text, on a terminal or into a pipe.

Belongs here: how the blocks of an explanation become lines. Does not belong here: their content.
"""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text as RichText

from harmonia.explain.chart import MIN_RANGE
from harmonia.explain.document import Block, Cell, Explanation, MatchWeight, Table, Text, Waterfall
from harmonia.feedback.texts import make_visible

_TONE_STYLES = {"plain": "", "good": "green", "bad": "red", "notice": "yellow"}
_BAR_WIDTH = 36  # characters of the widest waterfall


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print `explanation`. Colours and drawn lines are used only if the console is a terminal."""
    console.print(RichText(explanation.title, style="bold"))
    for name, value in explanation.facts:
        console.print(RichText(f"  {name:<24} {make_visible(value)}"), soft_wrap=True)
    for text in explanation.summary:
        _print_explanation_block(console, text)
    for section in explanation.sections:
        console.print()
        console.print(RichText(section.title, style="bold underline"))
        if section.note:
            console.print(RichText(section.note, style="dim"), soft_wrap=True)
        for block in [*section.blocks, *section.charts]:
            _print_explanation_block(console, block)
    console.print()
    console.print(RichText(explanation.sources, style="dim"), soft_wrap=True)


def _print_explanation_block(console: Console, block: Block) -> None:
    if isinstance(block, Text):
        console.print(RichText(make_visible(block.text), style=_TONE_STYLES[block.tone]), soft_wrap=True)
    elif isinstance(block, Waterfall):
        _print_waterfall(console, block)
    else:
        _print_table(console, block)


def _print_table(console: Console, table: Table) -> None:
    if table.rows:
        lines = RichTable(
            box=box.SIMPLE if console.is_terminal else box.ASCII2,
            show_footer=table.footer is not None,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        for n, column in enumerate(table.columns):
            footer = _format_cell(table.footer[n]) if table.footer is not None else ""
            lines.add_column(
                column.title,
                justify="right" if column.number else "left",
                overflow="fold",
                footer=footer,
                min_width=4 if column.wrap else None,
            )
        for n, row in enumerate(table.rows):
            lines.add_row(*(_format_cell(cell) for cell in row), style="bold" if n in table.highlighted else "")
        console.print(lines)
    if table.note:
        console.print(RichText(table.note, style="dim"), soft_wrap=True)


def _format_cell(cell: Cell) -> RichText:
    if isinstance(cell, MatchWeight):
        value = cell.value or 0.0
        return RichText(str(cell), style="green" if value >= 1 else "red" if value <= -1 else "")
    lines = cell if isinstance(cell, tuple) else ("" if cell is None else str(cell),)
    return RichText("\n".join(map(make_visible, lines)))


def _print_waterfall(console: Console, chart: Waterfall) -> None:
    """Print a waterfall chart. Its bars are made of characters; each reaches from the sum before its step to the sum after it."""
    console.print()
    console.print(RichText(chart.title, style="bold"))
    running, ends = 0.0, [0.0]
    for step in [chart.start, *chart.steps]:
        running += step.amount
        ends.append(running)
    low, high = min(ends), max(ends)
    scale = _BAR_WIDTH / max(high - low, MIN_RANGE)
    width = max(len(step.label) for step in [chart.start, *chart.steps])
    running = 0.0
    for step in [chart.start, *chart.steps]:
        before, running = running, running + step.amount
        bar = _format_bar(before, running, low, scale, "+" if step.amount >= 0 else "-")
        detail = f"  {make_visible(step.detail)}" if step.detail else ""
        line = (
            f"  {step.label:<{width}} {chart.format_amount(step.amount):>7} |{bar}| {chart.format_amount(running, sign=False):>7}{detail}"
        )
        console.print(RichText(line, style="green" if step.amount >= 0 else "red"), soft_wrap=True)
    end = f"  {chart.end:<{width}} {chart.format_amount(running):>7} |{_format_bar(0.0, running, low, scale, '=')}|  {chart.verdict}"
    console.print(RichText(end, style="bold"), soft_wrap=True)


def _format_bar(first: float, last: float, low: float, scale: float, sign: str) -> str:
    a, b = sorted((round((first - low) * scale), round((last - low) * scale)))
    return f"{' ' * a}{sign * max(b - a, 1)}".ljust(_BAR_WIDTH)[: _BAR_WIDTH + 1].ljust(_BAR_WIDTH + 1)
