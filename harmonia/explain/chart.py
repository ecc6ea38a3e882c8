"""Lay out a waterfall chart as inline SVG.

Belongs here: geometry. Does not belong here: colours (the style sheet of the page, by class), what the steps mean.
"""

from __future__ import annotations

from dataclasses import dataclass

from harmonia.explain.document import Step, Waterfall

WIDTH, LABELS, VALUES, ROW, TOP = 480, 178, 48, 22, 8
MIN_RANGE = 1e-6  # least range of the axis
MAX_LABEL_LENGTH = 29  # characters of a label; the bar's title has the whole label


@dataclass(frozen=True)
class Bar:
    """A row of the chart, in the coordinates of the drawing.

    kind: `up`, `down`, `base` (the start) or `sum`. connector_x: the x coordinate of the line that leads to the next row; None for no
    line.
    """

    label: str
    amount: str
    detail: str
    kind: str
    x: float
    y: float
    width: float
    connector_x: float | None


@dataclass(frozen=True)
class Drawing:
    """A waterfall chart with the coordinates of its parts.

    zero: the x coordinate of the amount 0. text: the alternative text of the image.
    """

    chart: Waterfall
    bars: list[Bar]
    height: int
    zero: float
    text: str
    width: int = WIDTH
    labels: int = LABELS
    row: int = ROW


def lay_out_waterfall(chart: Waterfall) -> Drawing:
    """Lay out `chart`: one row for the start, one for each step, and one for the sum, from top to bottom."""
    ends = [0.0]
    for step in [chart.start, *chart.steps]:
        ends.append(ends[-1] + step.amount)
    low, high = min(ends), max(ends)
    scale = (WIDTH - LABELS - VALUES - 8) / max(high - low, MIN_RANGE)

    def convert_amount_to_x(value: float) -> float:
        return round(LABELS + 4 + (value - low) * scale, 1)

    bars, running = [], 0.0
    for row, step in enumerate([chart.start, *chart.steps]):
        previous, running = running, running + step.amount
        kind = "base" if row == 0 else "up" if step.amount >= 0 else "down"
        bars.append(_make_bar_of_step(chart, step, kind, convert_amount_to_x(previous), convert_amount_to_x(running), row))
    total = Step(chart.end, running, chart.verdict)
    bars.append(_make_bar_of_step(chart, total, "sum", convert_amount_to_x(0.0), convert_amount_to_x(running), len(bars), connected=False))
    amounts = ", ".join(f"{bar.label} {bar.amount}" for bar in bars)
    return Drawing(chart, bars, TOP * 2 + ROW * len(bars), convert_amount_to_x(0.0), f"{chart.title}: {amounts} {chart.unit}")


def _make_bar_of_step(chart: Waterfall, step: Step, kind: str, from_x: float, until_x: float, row: int, *, connected: bool = True) -> Bar:
    x, width = min(from_x, until_x), max(abs(until_x - from_x), 1.5)
    label = step.label if len(step.label) <= MAX_LABEL_LENGTH else step.label[: MAX_LABEL_LENGTH - 1] + "…"
    signed = chart.decimals > 0 or kind in ("up", "down")
    return Bar(
        label, chart.format_amount(step.amount, sign=signed), step.detail, kind, x, TOP + row * ROW, width, until_x if connected else None
    )
